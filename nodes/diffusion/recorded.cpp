#include "diffusion/recorded.h"

#include <ATen/core/grad_mode.h>
#include <c10/util/intrusive_ptr.h>
#include <torch/csrc/autograd/function.h>
#include <torch/csrc/autograd/functions/utils.h>

#include <algorithm>
#include <memory>
#include <type_traits>

namespace atelier::diffusion {
namespace {

class RecordedFunction : public torch::autograd::Node {
 public:
  RecordedFunction(const char* name, Backward backward) : name_(name), backward_(std::move(backward)) {}

  std::string name() const override { return name_; }

  torch::autograd::variable_list apply(torch::autograd::variable_list&& output_gradients) override {
    TORCH_CHECK(backward_, name_, ": its gradient was computed before, and what it needs is gone");
    const at::NoGradGuard no_grad;
    return backward_(std::move(output_gradients));
  }

  void release_variables() override { backward_ = nullptr; }

 private:
  const char* name_;
  Backward backward_;
};

/// In current libtorch a node counts its own references. Before, std::shared_ptr did, and deleteNode freed a long graph
/// without recursion; a generic lambda looks that name up only where it is called.
template <typename Function>
auto new_node(const char* name, Backward backward) {
  if constexpr (std::is_base_of_v<c10::intrusive_ptr_target, Function>)
    return c10::make_intrusive<Function>(name, std::move(backward));
  else
    return std::shared_ptr<Function>(new Function(name, std::move(backward)), [](auto* node) { deleteNode(node); });
}

}  // namespace

bool wants_gradient(const Tensors& inputs) {
  return at::GradMode::is_enabled() &&
         std::ranges::any_of(inputs, [](const at::Tensor& x) { return x.defined() && x.requires_grad(); });
}

void record(const char* name, const Tensors& inputs, Tensors& outputs, Backward backward) {
  const auto node = new_node<RecordedFunction>(name, std::move(backward));
  node->set_next_edges(torch::autograd::collect_next_edges(inputs));
  for (at::Tensor& output : outputs) torch::autograd::set_history(output, node);
}

}  // namespace atelier::diffusion
