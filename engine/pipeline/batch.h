// pipeline: a batch: the pipeline it names, values for batch inputs, and tonight's customers.
#pragma once
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "pipeline/pipeline.h"

namespace atelier {

struct Customer {
  std::string id;                                       // letters, digits, '-', '_', '.'; serves as a file name
  std::map<std::string, std::filesystem::path> inputs;  // customer-scope inputs, absolute
  ParamValues params;                                   // this customer's own
  SourcePosition position;
};

struct Batch {
  std::filesystem::path file;  // absolute
  std::string name;
  Pipeline pipeline;
  std::map<std::string, std::filesystem::path> inputs;  // batch-scope inputs, absolute
  ParamValues params;
  std::vector<Customer> customers;

  // Every param of the pipeline, and "customer" where there is one. Precedence: pipeline < batch < customer < set.
  // `customer` may be null, for what the whole batch shares.
  ParamValues values_for(const Customer* customer) const;
  ParamValues set;  // --set name=value of the command line
};

}  // namespace atelier
