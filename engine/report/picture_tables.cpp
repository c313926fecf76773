#include "report/picture_tables.h"

#include <algorithm>

#include <fmt/format.h>

#include "report/text.h"

namespace atelier {
namespace {

std::string cell_html(const ReportPicture* picture, const std::string& alt, Frames& frames) {
  return picture ? "<td>" + frames.frame(*picture, alt) + "</td>" : "<td class=\"none\">–</td>";
}

// What a column's pictures call themselves, else their name.
std::string column_title(const PictureTable& table, std::size_t column) {
  for (const auto& row : table.rows)
    if (row.cells[column] && !row.cells[column]->facts.title.empty()) return row.cells[column]->facts.title;
  return table.columns[column];
}

std::string alt_of(const std::string& row, const std::string& column, const ReportPicture* picture) {
  std::string alt = row + ", " + column;
  if (picture && !picture->facts.description.empty()) alt += ": " + picture->facts.description;
  return alt;
}

// What all pictures of a row show, each text once.
std::string descriptions(const PictureRow& row) {
  std::vector<std::string> texts;
  for (const auto* const cell : row.cells)
    if (cell && !cell->facts.description.empty() && std::ranges::find(texts, cell->facts.description) == texts.end())
      texts.push_back(cell->facts.description);
  std::string html;
  for (const auto& text : texts) html += fmt::format("<span class=\"prompt\">{}</span>", escaped(text));
  return html;
}

std::string notes(const PictureRow& row, const std::string& whose) {
  std::string note;
  if (row.task->customers.empty() && !whose.empty()) note += "<span class=\"note\">same for all customers</span>";
  if (row.task->state == TaskState::reused) note += "<span class=\"note\">reused</span>";
  return note;
}

std::string opening(const std::string& caption, const char* kind) {
  return fmt::format(
      "<div class=\"scroll\" role=\"region\" aria-label=\"{0}\" tabindex=\"0\"><table class=\"pictures "
      "{1}\"><caption>{0}"
      "</caption>\n",
      escaped(caption), kind);
}

std::string of_whom(const std::string& whose) { return whose.empty() ? "" : " of " + whose; }

std::string head(const PictureTable& table, const char* first) {
  std::string html = fmt::format("<thead><tr><th scope=\"col\">{}</th>", first);
  for (std::size_t i = 0; i < table.columns.size(); ++i)
    html += fmt::format("<th scope=\"col\">{}</th>", escaped(column_title(table, i)));
  return html + "</tr></thead>\n<tbody>\n";
}

std::string step_html(const PictureRow& row, const std::string& whose) {
  return fmt::format("<span class=\"name\">{}</span>{}{}", escaped(row.name), descriptions(row), notes(row, whose));
}

std::string down(const PictureTable& gallery, const std::string& whose, Frames& frames) {
  std::string html = head(gallery, "Step");
  for (const auto& row : gallery.rows) {
    html += "<tr><th scope=\"row\">" + step_html(row, whose) + "</th>";
    for (std::size_t i = 0; i < row.cells.size(); ++i)
      html += cell_html(row.cells[i], alt_of(row.name, column_title(gallery, i), row.cells[i]), frames);
    html += "</tr>\n";
  }
  return html;
}

// Where each step has one picture, the steps stand side by side.
std::string across(const PictureTable& gallery, const std::string& whose, Frames& frames) {
  const std::string title = column_title(gallery, 0);
  std::string html = "<thead><tr><th scope=\"col\">Picture</th>", cells;
  for (const auto& row : gallery.rows) {
    html += "<th scope=\"col\">" + step_html(row, whose) + "</th>";
    cells += cell_html(row.cells[0], alt_of(row.name, title, row.cells[0]), frames);
  }
  return html + "</tr></thead>\n<tbody>\n<tr><th scope=\"row\">" + escaped(title) + "</th>" + cells + "</tr>\n";
}

}  // namespace

std::string gallery_html(const PictureTable& gallery, const std::string& whose, Frames& frames) {
  std::string html = opening(fmt::format("Pictures by {}{}", gallery.name, of_whom(whose)), "gallery");
  return html + (gallery.columns.size() == 1 ? across(gallery, whose, frames) : down(gallery, whose, frames)) +
         "</tbody></table></div>\n";
}

std::string strip_html(const PictureTable& strip, const std::string& whose, Frames& frames) {
  const std::string set = strip.name.empty() ? "Photos" : "Photos of " + strip.name;
  std::string html = opening(set + (whose.empty() ? "" : ", " + whose), "strip");
  html += head(strip, "Photo");
  for (const auto& row : strip.rows) {
    html += fmt::format("<tr><th scope=\"row\"><span class=\"name\">{}</span>{}</th>", escaped(row.name),
                        descriptions(row));
    for (std::size_t i = 0; i < row.cells.size(); ++i)
      html += cell_html(row.cells[i], alt_of(strip.columns[i], row.name, row.cells[i]), frames);
    html += "</tr>\n";
  }
  return html + "</tbody></table></div>\n";
}

}  // namespace atelier
