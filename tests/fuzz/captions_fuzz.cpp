// Fuzz target: any bytes as the .txt beside a photo and as the name of its folder: made one line, split into the words
// of the portrait and of the background, freed of the trigger. The first line is the trigger.
#include <algorithm>
#include <fstream>
#include <sstream>
#include <string>

#include "fuzz_target.h"
#include "portrait/split_text.h"
#include "types/photo_folder.h"
#include "types/utf8.h"

namespace atelier::fuzz {
namespace {

const WordRules& rules() {
  static const WordRules read = [] {
    const std::ifstream file(ATELIER_SOURCE_DIR "/pipelines/captions/portrait-words.yaml");
    std::ostringstream text;
    text << file.rdbuf();
    return WordRules::parse(text.str(), "portrait-words.yaml");
  }();
  return read;
}

void promise_words(std::string_view text) {
  std::size_t end = 0;
  for (const auto& word : words_of(text)) {
    promise(word.begin >= end && word.begin < word.end && word.end <= text.size());
    promise(word.text.size() == word.end - word.begin);
    end = word.end;
  }
}

// No part of a caption is lost or made up: both sides together have every word that is no connector, each side has
// words of the caption alone.
void promise_split(const std::string& caption, Region region) {
  const auto decide = [&](std::string_view chunk) {
    const Side side = side_of(chunk, rules(), region);
    return side == Side::unknown ? Side::both : side;
  };
  const auto split = split_caption(caption, rules(), decide);
  for (const auto& side : {split.portrait, split.background}) {
    promise(is_utf8(side) && side.find('\n') == std::string::npos);
    promise_words(side);
  }
  for (const auto& chunk : chunks_of(caption, rules())) {
    promise(!chunk.empty() && caption.find(chunk) != std::string::npos);
    promise(split.portrait.find(chunk) != std::string::npos || split.background.find(chunk) != std::string::npos);
  }
}

void read_caption(std::string_view text, std::string_view trigger) {
  const std::string caption = as_one_line(text);
  promise(is_utf8(caption) && caption.find('\n') == std::string::npos && caption.find("  ") == std::string::npos);
  promise(!caption.starts_with(' ') && !caption.ends_with(' '));
  promise_words(caption);
  (void)is_tag_list(caption);
  const std::string rest = without_words(caption, trigger);
  promise(is_utf8(rest) && rest.size() <= caption.size());
  for (const Region region : {Region::face, Region::head, Region::person}) promise_split(rest, region);
}

void read_folder_name(std::string_view bytes) {
  const auto folder = photo_folder(std::string(bytes));
  if (!folder) return;
  promise(folder->repeats >= 1 && folder->repeats <= kMostFolderRepeats && is_utf8(folder->caption));
  promise(photo_folder(name_of(*folder)) == *folder);
}

}  // namespace
}  // namespace atelier::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto bytes = atelier::fuzz::text_of(data, size);
  const auto line = bytes.substr(0, bytes.find('\n'));
  atelier::fuzz::promise_words(bytes);
  atelier::fuzz::read_folder_name(line);
  if (atelier::is_utf8(bytes)) atelier::fuzz::read_caption(bytes.substr(line.size()), line);
  return 0;
}
