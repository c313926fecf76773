// report: the pictures of one customer, or of the batch, in order. Equal names stand above each other, task by task, in
// one gallery for each node; pictures named "PHOTO/ASPECT" stand in strips, aspect by aspect, one for each module.
#pragma once
#include <map>
#include <string>
#include <vector>

#include "report/evidence.h"
#include "report/png_facts.h"
#include "report/story.h"

namespace atelier {

struct ReportPicture {
  Digest digest{};
  std::vector<std::byte> png{};  // empty: it cannot be shown, and `missing` says why
  std::string missing{};
  PngFacts facts{};
  bool of_batch = false;  // many customers may show it
};

// A table of pictures. The cells are in the order of the columns; null: there is none.
struct PictureRow {
  std::string name{};               // of the task, or the aspect
  const TaskStory* task = nullptr;  // of a strip: of its first picture
  std::vector<const ReportPicture*> cells{};
};
struct PictureTable {
  std::string name{};                  // of the node, or the module
  std::vector<std::string> columns{};  // the pictures' names, or the photos'
  std::vector<PictureRow> rows{};
};

class Album {
 public:
  // `tasks`: those whose pictures these are, in the plan's order. They must outlive it.
  Album(const std::vector<const TaskStory*>& tasks, const Evidence& evidence);
  Album(const Album&) = delete;
  Album& operator=(const Album&) = delete;

  const std::vector<PictureTable>& galleries() const { return galleries_; }
  const std::vector<PictureTable>& strips() const { return strips_; }
  const std::vector<std::vector<ReportPicture>>& pictures() const { return pictures_; }  // by task
  // What a task measured: as the store has it, which knows of the runs before too, else as the record does.
  std::map<std::string, ThinCurve> curves(const TaskStory& task) const;

 private:
  std::vector<std::vector<ReportPicture>> pictures_;
  std::map<std::string, std::map<std::string, ThinCurve>> kept_;  // by task
  std::vector<PictureTable> galleries_, strips_;
};

// A customer's galleries, and in each of them before its own rows those of the batch that have a picture of a name that
// stands there too: the base alone, or the style, beside the customer's model.
std::vector<PictureTable> beside_the_batchs(const Album& own, const Album& batch);

// A table taken apart into those whose rows share no column, so that none has more holes than it must; what the last
// steps made comes first.
std::vector<PictureTable> without_holes(const PictureTable& table);

}  // namespace atelier
