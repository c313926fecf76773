// portrait: which words of a caption speak of the portrait and which of the background: pipelines/captions/
// portrait-words.yaml.
#pragma once
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/digest.h"
#include "portrait/caption_text.h"

namespace atelier {

enum class Region { face, head, person };  // each holds the one before
Region region_named(std::string_view name);

// Where a word belongs: to a part of the person, and so to the portrait where the region holds that part, to the
// background whatever the region, or to both.
enum class Belongs { face, head, person, background, both };

enum class Side { portrait, background, both, unknown };
Side side_of(Belongs belongs, Region region);

class WordRules {
 public:
  // UserError: what the file has that it must not, with its name and line.
  static WordRules parse(std::string_view yaml, const std::string& file_name);

  // A copy in which these phrases belong so, whatever the file says.
  WordRules with(const std::vector<std::string>& phrases, Belongs belongs) const;

  std::size_t size() const { return phrases_.size(); }
  const Digest& digest() const { return digest_; }  // of the file's bytes

  // The phrases that stand in `words` as whole words (the last one also with a plural's s or es), the longest first
  // where they overlap.
  struct Match {
    std::size_t first = 0, count = 0;  // words
    Belongs belongs = Belongs::both;
  };
  std::vector<Match> matches(const std::vector<Word>& words) const;

  // Whether words[at …] is a connector, at which sentences are split; its number of words, 0 where it is none.
  std::size_t connector_at(const std::vector<Word>& words, std::size_t at) const;

 private:
  using Phrase = std::vector<std::string>;
  void add(std::string_view phrase, Belongs belongs);

  std::map<Phrase, Belongs> phrases_;
  std::vector<Phrase> connectors_;  // the longest first
  std::size_t longest_ = 1;
  Digest digest_;
};

}  // namespace atelier
