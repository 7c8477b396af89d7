-- The pictures that lie in the file stand in the text, as addresses that hold all of them.
function Image(picture)
  local media, bytes = pandoc.mediabag.lookup(picture.src)
  if media then
    picture.src = pandoc.mediabag.make_data_uri(media, bytes)
    return picture
  end
end
