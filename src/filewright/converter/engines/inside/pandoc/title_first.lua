-- Writes the title of a document as its first heading, for targets that have no other place for it.
function Pandoc(document)
  local title = document.meta.title
  if title == nil or pandoc.utils.stringify(title) == '' then return nil end
  document.blocks:insert(1, pandoc.Header(1, pandoc.utils.type(title) == 'Inlines' and title or
    pandoc.Inlines(pandoc.utils.stringify(title))))
  return document
end
