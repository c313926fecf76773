// plan: the params of every step for every customer, evaluated once for each set of values they depend on.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "pipeline/batch.h"

namespace atelier {

// The params of one step for one customer, shared with all for whom they are the same.
struct EvaluatedParams {
  std::shared_ptr<const Params> params;
  Digest node;  // node_digest()
};

// The values that one customer's templates see, and which of them differ from what the batch alone would give.
struct CustomerValues {
  ParamValues values;                    // with "customer", where there is one
  std::vector<std::string> own_changes;  // names of pipeline params whose value is the customer's own
};

class StepParams {
 public:
  explicit StepParams(const Batch& batch);

  // For the batch alone.
  const CustomerValues& shared() const { return shared_; }
  // For a customer. Valid until the next call.
  const CustomerValues& of(const Customer& customer);

  // Whether a customer with these values needs a task of their own for a step of batch scope: a param that they changed
  // reaches it, directly or through the steps that feed it.
  bool concerns(const CustomerValues& values, std::size_t step) const;

  // Valid as long as this object.
  const EvaluatedParams& evaluate(std::size_t step, const CustomerValues& values);

 private:
  struct Step {
    std::vector<std::string> names;     // that its templates use, sorted, without repetition
    std::vector<std::string> reaching;  // those and the names of all steps that feed it, sorted; without "customer"
    bool uses_customer = false;
    const EvaluatedParams* plain = nullptr;  // for values that are nobody's own
    std::unordered_map<std::string, EvaluatedParams> by_values;
  };

  const Batch& batch_;
  std::vector<Step> steps_;
  CustomerValues shared_;
  CustomerValues plain_;  // as shared_, "customer" being the latest one without own params
  CustomerValues own_;    // of the latest customer with own params
};

}  // namespace atelier
