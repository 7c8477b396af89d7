-- Puts a picture's description in its place.
function Image(picture)
  return picture.caption
end
