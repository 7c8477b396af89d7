-- Tags of a web page that have no meaning in any other format.

local function none(raw)
  if raw.format == "html" then return {} end
end

return { { RawBlock = none, RawInline = none } }
