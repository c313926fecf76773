// report: a customer: how it went, the sample pictures, the photos, the trainings, every task. What the batch shares is
// told in a card too.
#pragma once
#include <string>

#include "report/frames.h"

namespace atelier {

struct CustomerTasks {
  const CustomerStory* customer = nullptr;  // null: the batch's own
  std::vector<const TaskStory*> tasks{};
};

enum class Fold { open, folded };  // whether what is more than the pictures can be seen at once

// `link_out`: from the report's folder to the out folder, "../../"; empty: no links to outputs.
std::string customer_card(const CustomerTasks& who, const Album& own, const Album* batch, Frames& frames, Fold fold,
                          const std::string& link_out);

// "succeeded" … as a chip with a word and a sign.
std::string result_chip(const CustomerStory& customer);

}  // namespace atelier
