// render: captions, made from the parameters. They use the words of the `caption` node's tags and of
// pipelines/captions/portrait-words.yaml wherever these mean the same, so that `split_captions` understands them.
#pragma once
#include <string>
#include <vector>

#include "base/random.h"
#include "render/person.h"
#include "render/shot.h"

namespace atelier::render {

// A phrase such as "portrait of a woman with long red hair, wearing a green sweater, in a park, oil painting" or, for
// a quarter of the draws, a list of tags. Either leaves some attributes out, by chance. Lower case, ASCII.
std::string caption_of(const Person& person, const Shot& shot, RandomStream stream);

// All words that captions can contain, sorted.
std::vector<std::string> caption_words();

}  // namespace atelier::render
