// pipeline: a YAML text as a tree with positions. It is made from the events of yaml-cpp's parser: the ready-made tree
// keeps duplicate keys, marks an empty value at what follows it and an alias at its anchor, reads 010 as 8 and no as
// false, and ignores a second document.
//
// Of YAML only what a pipeline needs is taken: maps with text keys, lists and scalars. Anchors, aliases, merge keys,
// tags, a second document, tabs in the indentation, control characters, what is not UTF-8, more than 4 MB and more than
// 64 levels are mistakes, each with its sentence.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "pipeline/mistake_list.h"
#include "pipeline/source.h"

namespace atelier {

inline constexpr int deepest_yaml_level = 64;

struct YamlNode {
  enum class Kind {
    scalar,
    list,
    map,
    empty,    // nothing, ~ or null
    refused,  // an alias: told already, to be passed over in silence
  };
  struct Key {
    std::string name;
    int line = 0, column = 0;
  };

  Kind kind = Kind::empty;
  bool quoted = false;          // a scalar in quotes or a block text
  bool incomplete = false;      // a map of which something was refused: no key of it counts as missing
  int line = 0, column = 0;     // 1-based, in code points; of an empty value its key's
  std::string text;             // of a scalar
  std::vector<Key> keys;        // of a map, without duplicates, parallel to
  std::vector<YamlNode> items;  // the values of a map, the items of a list

  const YamlNode* find(std::string_view key) const;  // null where there is none
};

struct YamlTree {
  std::string file;    // as positions name it
  YamlNode root;       // empty for an empty text
  bool whole = false;  // false after a syntax error, which ends the reading
};

// Reads `bytes`; every mistake goes to `mistakes`.
YamlTree read_yaml(const std::string& file, std::string_view bytes, MistakeList& mistakes);

}  // namespace atelier
