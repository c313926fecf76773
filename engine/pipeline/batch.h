// pipeline: a batch: the pipeline it names, values for batch inputs, and tonight's customers.
//
//   atelier: 1
//   pipeline: ../pipelines/portrait.yaml
//   name: friday                             # the file's name where it is not given
//   inputs: {base: models/sd15, style: style}  # those of scope batch
//   params: {steps: 60}
//   customers:
//     - {id: anna, target: photos/anna, params: {steps: 80}}
//
// or `customers: tonight.csv` (columns id, then inputs and params; an empty cell is not given) or `customers: photos/`
// (a sub-folder for each: it is the one customer input, or holds a folder or file named as each of several). Relative
// paths are relative to the file that holds them. What a customer's params change are that customer's steps; a param
// that only steps of the whole batch depend on belongs to the batch.
//
// Paths that stand in the batch file itself lead anywhere. Those of a CSV file, of lists of photos and of links stay in
// their folder, unless the batch says `paths: anywhere`.
#pragma once
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "pipeline/pipeline.h"

namespace atelier {

struct Customer {
  std::string id;                                       // letters, digits, '-', '_', '.'; serves as a file name
  std::map<std::string, std::filesystem::path> inputs;  // customer-scope, absolute; the customer's own folder ends in /
  std::map<std::string, std::filesystem::path> within;  // of inputs that were found there: what they may not leave
  ParamValues params;                                   // this customer's own
  SourcePosition position;
};

struct Batch {
  std::filesystem::path file;  // absolute
  std::string name;
  Pipeline pipeline;
  std::map<std::string, std::filesystem::path> inputs;  // batch-scope inputs, absolute
  ParamValues params;
  bool paths_anywhere = false;
  std::vector<Customer> customers;

  // Every param of the pipeline, and "customer" where there is one. Precedence: pipeline < batch < customer < set.
  // `customer` may be null, for what the whole batch shares.
  ParamValues values_for(const Customer* customer) const;
  ParamValues set;  // --set name=value of the command line
};

}  // namespace atelier
