#include "report/album.h"

#include <algorithm>

namespace atelier {
namespace {

template <class Items, class Make>
auto& find_or_add(Items& items, const std::string& name, const Make& make) {
  const auto found = std::ranges::find_if(items, [&](const auto& one) { return one.name == name; });
  return found != items.end() ? *found : items.emplace_back(make());
}

void place(PictureTable& table, const std::string& row, const TaskStory& task, const std::string& column,
           const ReportPicture* picture) {
  auto& line = find_or_add(table.rows, row, [&] { return PictureRow{row, &task, {}}; });
  const auto found = std::ranges::find(table.columns, column);
  const auto at = static_cast<std::size_t>(found - table.columns.begin());
  if (found == table.columns.end()) table.columns.push_back(column);
  if (line.cells.size() <= at) line.cells.resize(at + 1);
  line.cells[at] = picture;
}

void fill_up(std::vector<PictureTable>& tables) {
  for (auto& table : tables)
    for (auto& row : table.rows) row.cells.resize(table.columns.size());
}

std::string why_missing(const TaskStory& task, const Evidence& evidence) {
  if (task.state == TaskState::running) return "comes when the task is done";
  if (!evidence.has_store()) return "the cache is not there";
  if (task.state == TaskState::finished || task.state == TaskState::reused) return "no longer in the cache";
  return "not kept: the task did not finish";
}

ReportPicture picture_of(const PreviewStory& told, const TaskStory& task, const Shown& shown,
                         const Evidence& evidence) {
  ReportPicture picture{.digest = told.digest, .of_batch = task.customers.empty()};
  const Preview* const found = shown.find(told.name);
  const auto facts = found ? png_facts(found->png) : std::nullopt;
  if (!found)
    picture.missing = why_missing(task, evidence);
  else if (!facts || sha256(found->png) != told.digest)
    picture.missing = "not the picture that was shown then";
  else
    picture = {told.digest, found->png, "", *facts, picture.of_batch};
  return picture;
}

std::string module_of(const std::string& step) {
  const auto dot = step.rfind('.');
  return dot == std::string::npos ? "" : step.substr(0, dot);
}

}  // namespace

Album::Album(const std::vector<const TaskStory*>& tasks, const Evidence& evidence) {
  pictures_.reserve(tasks.size());  // tables point into it
  for (const TaskStory* const task : tasks) {
    const bool showed = !task->previews.empty() || !task->curves.empty() || !task->curves_in_cache.empty();
    if (!showed || !task->key) continue;
    const Shown shown = evidence.shown(*task->key);
    for (const auto& [name, curve] : shown.curves) kept_[task->name].emplace(name, ThinCurve(curve));
    auto& pictures = pictures_.emplace_back();
    pictures.reserve(task->previews.size());
    for (const auto& told : task->previews) {
      const auto* const picture = &pictures.emplace_back(picture_of(told, *task, shown, evidence));
      const auto slash = told.name.rfind('/');
      if (slash == std::string::npos) {
        const auto named = [&] { return PictureTable{task->node, {}, {}}; };
        place(find_or_add(galleries_, task->node, named), task->step, *task, told.name, picture);
      } else {
        const std::string module = module_of(task->step);
        auto& strip = find_or_add(strips_, module, [&] { return PictureTable{module, {}, {}}; });
        place(strip, told.name.substr(slash + 1), *task, told.name.substr(0, slash), picture);
      }
    }
  }
  fill_up(galleries_);
  fill_up(strips_);
}

std::map<std::string, ThinCurve> Album::curves(const TaskStory& task) const {
  const auto kept = kept_.find(task.name);
  if (kept == kept_.end() || task.state == TaskState::running || task.state == TaskState::failed) return task.curves;
  return kept->second;
}

std::vector<PictureTable> beside_the_batchs(const Album& own, const Album& batch) {
  std::vector<PictureTable> joined;
  for (const auto& gallery : own.galleries()) {
    auto& table = joined.emplace_back(gallery);
    std::vector<PictureRow> before;
    for (const auto& other : batch.galleries()) {
      if (other.name != gallery.name) continue;
      for (const auto& row : other.rows) {
        PictureRow beside{row.name, row.task, std::vector<const ReportPicture*>(table.columns.size())};
        bool any = false;
        for (std::size_t i = 0; i < other.columns.size(); ++i) {
          const auto at = std::ranges::find(table.columns, other.columns[i]);
          if (at == table.columns.end() || !row.cells[i]) continue;
          beside.cells[static_cast<std::size_t>(at - table.columns.begin())] = row.cells[i];
          any = true;
        }
        if (any) before.push_back(std::move(beside));
      }
    }
    table.rows.insert(table.rows.begin(), before.begin(), before.end());
  }
  return joined;
}

std::vector<PictureTable> without_holes(const PictureTable& table) {
  std::vector<std::size_t> part(table.rows.size());  // of each row: the number of the first row it is connected with
  for (std::size_t row = 0; row < part.size(); ++row) {
    part[row] = row;
    for (std::size_t other = 0; other < row; ++other) {
      bool share = false;
      for (std::size_t i = 0; i < table.columns.size(); ++i)
        share = share || (table.rows[row].cells[i] && table.rows[other].cells[i]);
      if (share) std::ranges::replace(part, std::max(part[other], part[row]), std::min(part[other], part[row]));
    }
  }
  std::vector<PictureTable> parts;
  for (std::size_t first = part.size(); first-- > 0;) {
    if (part[first] != first) continue;
    PictureTable one{table.name, {}, {}};
    for (std::size_t row = 0; row < part.size(); ++row)
      if (part[row] == first) one.rows.push_back({table.rows[row].name, table.rows[row].task, {}});
    for (std::size_t i = 0; i < table.columns.size(); ++i) {
      std::vector<const ReportPicture*> cells;
      for (std::size_t row = 0; row < part.size(); ++row)
        if (part[row] == first) cells.push_back(table.rows[row].cells[i]);
      if (std::ranges::none_of(cells, [](const auto* cell) { return cell != nullptr; })) continue;
      one.columns.push_back(table.columns[i]);
      for (std::size_t row = 0; row < cells.size(); ++row) one.rows[row].cells.push_back(cells[row]);
    }
    parts.push_back(std::move(one));
  }
  return parts;
}

}  // namespace atelier
