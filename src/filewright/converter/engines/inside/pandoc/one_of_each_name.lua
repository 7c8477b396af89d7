-- Names (identifiers) stand once in a document. Some readers give one to several places, the one for ODT to every
-- bookmark, and readers of XML refuse a file in which a name stands twice. The first place keeps it.

local seen = {}

local function once(element)
  local name = element.identifier
  if name ~= "" and seen[name] then
    element.identifier = ""
    return element
  end
  seen[name] = true
end

return {{
  traverse = "topdown",
  Code = once,
  CodeBlock = once,
  Div = once,
  Figure = once,
  Header = once,
  Image = once,
  Link = once,
  Span = once,
  Table = once,
}}
