-- Writings have no room for the pictures that lie in the file that they are made of: what describes a picture stands in
-- its place. One that lies elsewhere stays a link.

local function is_in_the_file(inline)
  return inline.t == "Image" and pandoc.mediabag.lookup(inline.src) ~= nil
end

-- Two words would run into one where one of them was a picture.
local function run_together(before, after)
  if before == nil then return false end
  local letter = "[%w\128-\255]"
  return pandoc.utils.stringify(before):match(letter .. "$") ~= nil
    and pandoc.utils.stringify(after):match("^" .. letter) ~= nil
end

function Inlines(inlines)
  local written, beside_picture = pandoc.Inlines {}, false
  for _, inline in ipairs(inlines) do
    local is_picture = is_in_the_file(inline)
    local words = is_picture and inline.caption or pandoc.Inlines { inline }
    beside_picture = beside_picture or is_picture
    if #words > 0 then
      if beside_picture and run_together(written[#written], words[1]) then
        written:insert(pandoc.Space())
      end
      written:extend(words)
      beside_picture = is_picture
    end
  end
  return written
end

local function has_picture(blocks)
  local found = false
  blocks:walk { Image = function() found = true end }
  return found
end

-- What frames no picture any more is no figure.
function Figure(figure)
  if has_picture(figure.content) then return nil end
  local said = figure.caption.long
  if pandoc.utils.stringify(figure.content) ~= pandoc.utils.stringify(said) then
    said = figure.content .. said
  end
  return said
end
