// pipeline: whether tonight's values suit the nodes and tonight's outputs have places of their own.
#pragma once
#include <set>
#include <string>
#include <vector>

#include "pipeline/batch.h"
#include "pipeline/customers.h"
#include "pipeline/mistake_list.h"

namespace atelier {

// The params that a step or output path of a single customer depends on.
std::set<std::string> params_of_customers(const Pipeline& pipeline);

// Params under the batch's values, under --set, and of every customer for what that customer changes. A step that has
// been told under weaker values is told again only for what the stronger ones change.
void check_values(const Batch& batch, const GivenValues& batch_params,
                  const std::vector<CustomerDeclaration>& customers, const GivenValues& settings,
                  MistakeList& mistakes);

// Every output of every customer: it stays below the output folder, and no two have one path.
void check_output_paths(const Batch& batch, MistakeList& mistakes);

}  // namespace atelier
