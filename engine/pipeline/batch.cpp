#include "pipeline/batch.h"

#include "pipeline/template.h"

namespace atelier {

ParamValues Batch::values_for(const Customer* customer) const {
  ParamValues values = set;  // emplace() keeps what is there: the strongest comes first
  if (customer) {
    values.insert(customer->params.begin(), customer->params.end());
    values.emplace(customer_name, customer->id);
  }
  values.insert(params.begin(), params.end());
  for (const auto& param : pipeline.params) values.emplace(param.name, param.value);
  return values;
}

}  // namespace atelier
