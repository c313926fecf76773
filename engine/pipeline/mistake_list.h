// pipeline: collects mistakes while reading goes on, and puts them in order.
#pragma once
#include <map>
#include <set>
#include <string>
#include <tuple>

#include "pipeline/source.h"

namespace atelier {

class MistakeList {
 public:
  // A mistake told twice (a module used three times is read three times) counts once.
  void add(const SourcePosition& position, std::string message);
  bool empty() const { return mistakes_.empty(); }
  std::size_t size() const { return mistakes_.size(); }
  // By position; files in the order in which they were first seen.
  Mistakes sorted() const;
  // Files are in order of being opened, not of having mistakes.
  void opened(const std::string& file);

 private:
  Mistakes mistakes_;
  std::map<std::string, std::size_t> file_order_;
  std::set<std::tuple<std::string, int, int, std::string>> seen_;
};

}  // namespace atelier
