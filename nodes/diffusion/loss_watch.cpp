#include "diffusion/loss_watch.h"

#include <ATen/ATen.h>

#include <algorithm>

namespace atelier::diffusion {

double LossWatch::median() const {
  if (losses_.empty()) return 0;
  std::vector<double> sorted = losses_;
  const auto middle = sorted.begin() + static_cast<std::ptrdiff_t>(sorted.size() / 2);
  std::ranges::nth_element(sorted, middle);
  return *middle;
}

bool LossWatch::explodes(double loss) {
  const double usual = median();  // zero where nothing was asked of the model so far
  const bool high = seen_ >= kUnjudged && usual > 0 && loss > kTimesTheMedian * usual;
  high_in_a_row_ = high ? high_in_a_row_ + 1 : 0;
  if (seen_ < kWindow) {
    losses_.push_back(loss);
  } else {
    losses_[static_cast<size_t>(seen_ % kWindow)] = loss;
  }
  ++seen_;
  return high_in_a_row_ >= kInARow;
}

at::Tensor LossWatch::state() const {
  std::vector<double> values{static_cast<double>(seen_), static_cast<double>(high_in_a_row_)};
  values.insert(values.end(), losses_.begin(), losses_.end());
  values.resize(2 + kWindow, 0.0);
  return at::tensor(values, at::kDouble);
}

void LossWatch::restore(const at::Tensor& state) {
  const at::Tensor values = state.to(at::kDouble).cpu().contiguous();
  const double* value = values.data_ptr<double>();
  seen_ = static_cast<int64_t>(value[0]);
  high_in_a_row_ = static_cast<int64_t>(value[1]);
  losses_.assign(value + 2, value + 2 + std::min(seen_, kWindow));
}

}  // namespace atelier::diffusion
