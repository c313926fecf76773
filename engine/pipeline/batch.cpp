#include "pipeline/batch.h"

namespace atelier {

ParamValues Batch::values_for(const Customer* customer) const {
  ParamValues values;
  for (const auto& param : pipeline.params) values.insert_or_assign(param.name, param.value);
  const auto take = [&](const ParamValues& over) {
    for (const auto& [param, value] : over) values.insert_or_assign(param, value);
  };
  take(params);
  if (customer) take(customer->params);
  take(set);
  if (customer) values.insert_or_assign("customer", Value(customer->id));
  return values;
}

}  // namespace atelier
