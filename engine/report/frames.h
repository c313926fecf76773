// report: pictures as they stand in the page, within what the file may hold. The batch's are there once and are
// referred to; every other is an <img> with its bytes.
#pragma once
#include <cstdint>
#include <set>
#include <string>

#include "report/album.h"

namespace atelier {

class Frames {
 public:
  // `most_bytes`: of all pictures, as they stand in the file. It is shared out evenly to `groups`.
  Frames(std::uint64_t most_bytes, std::size_t groups) : left_bytes_(most_bytes), groups_left_(groups) {}

  void next_group();
  // `alt`: what a person hears who does not see it; not escaped yet.
  std::string frame(const ReportPicture& picture, const std::string& alt);
  // What frame() refers to, to be put once into the page.
  std::string definitions(const Album& batch);

  std::size_t left_out() const { return left_out_; }  // pictures

 private:
  bool take(const ReportPicture& picture);

  std::uint64_t left_bytes_, group_bytes_ = 0;
  std::size_t groups_left_, left_out_ = 0;
  std::set<Digest> defined_;
};

}  // namespace atelier
