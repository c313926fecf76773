// portrait: the node `split_captions`: each caption split into portrait words and background words.
#pragma once
#include <memory>

#include "graph/node.h"
#include "portrait/word_rules.h"

namespace atelier {

// The rules are part of what the node does: their digest is a param that enters every key.
std::unique_ptr<const Node> make_split_captions(WordRules rules);

}  // namespace atelier
