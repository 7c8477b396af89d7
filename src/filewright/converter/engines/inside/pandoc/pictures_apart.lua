-- A slide shows a picture only as a paragraph of its own that stands in no box, and only when its name says what kind
-- it is. What stands in a line with words, in a list or in a table follows the block that it was in.

local slide_boxes = { "columns", "column", "incremental", "nonincremental", "notes" }

local function named(picture)
  local media, bytes = pandoc.mediabag.lookup(picture.src)
  if media and not picture.src:match("%.%w+$") then
    local kind = media:gsub("^image/", ""):gsub("%+.*$", "")
    picture.src = picture.src .. "." .. kind
    pandoc.mediabag.insert(picture.src, media, bytes)
  end
  return picture
end

local function is_of_slides(box)
  return box.classes:find_if(function(class) return pandoc.List.includes(slide_boxes, class) end) ~= nil
end

local function is_one_picture(block)
  return (block.t == "Para" or block.t == "Plain") and #block.content == 1 and block.content[1].t == "Image"
end

-- The block without its pictures, and these.
local function parted(block)
  local pictures = pandoc.List {}
  local without = block:walk { Image = function(picture)
    pictures:insert(picture)
    return {}
  end }
  return without, pictures
end

local function has_words(block)
  return pandoc.utils.stringify(block):match("%S") ~= nil
end

local function apart(blocks)
  local set = pandoc.Blocks {}
  for _, block in ipairs(blocks) do
    if block.t == "Div" and not is_of_slides(block) then
      set:extend(apart(block.content))
    elseif block.t == "Figure" or block.t == "Div" or is_one_picture(block) then
      set:insert(block)
    else
      local without, pictures = parted(block)
      if #pictures == 0 then
        set:insert(block)
      else
        if has_words(without) then set:insert(without) end
        for _, picture in ipairs(pictures) do set:insert(pandoc.Para { picture }) end
      end
    end
  end
  return set
end

function Pandoc(document)
  local whole = document:walk { Image = named }
  whole.blocks = apart(whole.blocks)
  return whole
end
