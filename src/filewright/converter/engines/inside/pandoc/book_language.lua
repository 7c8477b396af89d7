-- Tells writers the language of a book, which EPUB calls by another name than they do, and which way its script runs.
local leftwards = { ar = true, arc = true, ckb = true, dv = true, fa = true, he = true, ps = true, sd = true, ug = true,
  ur = true, yi = true }

function Meta(meta)
  local language = meta.lang or meta.language
  if language == nil then return nil end
  if pandoc.utils.type(language) == 'List' then language = language[#language] end -- read in reverse: its first
  meta.lang = language
  local code = pandoc.utils.stringify(language):match('^%a+')
  if meta.dir == nil and code ~= nil and leftwards[code:lower()] then
    meta.dir = 'rtl'
  end
  return meta
end
