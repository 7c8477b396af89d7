-- A slide holds some rows of a table and no more: a longer table goes on on the next, under the same head. A table of
-- thousands of rows has too many on each slide rather than hundreds of slides, for which writers take minutes.

local rows_to_see, most_slides = 12, 100

local function rows_of(tbl)
  local rows = pandoc.List {}
  for _, body in ipairs(tbl.bodies) do
    rows:extend(body.head)
    rows:extend(body.body)
  end
  return rows
end

local function has_tall_cells(rows)
  return rows:find_if(function(row)
    return pandoc.List(row.cells):find_if(function(cell) return cell.row_span > 1 end) ~= nil
  end) ~= nil
end

local function slice(rows, first, count)
  local some = pandoc.List {}
  for at = first, math.min(first + count - 1, #rows) do some:insert(rows[at]) end
  return some
end

function Table(tbl)
  local rows = rows_of(tbl)
  local count = math.max(rows_to_see, math.ceil(#rows / most_slides))
  if #rows <= count or has_tall_cells(rows) then return nil end
  local parts = pandoc.Blocks {}
  for first = 1, #rows, count do
    local part = tbl:clone()
    part.bodies = { { attr = pandoc.Attr(), body = slice(rows, first, count), head = {}, row_head_columns = 0 } }
    if first + count <= #rows then part.foot = pandoc.TableFoot {} end
    parts:insert(part)
  end
  return parts
end
