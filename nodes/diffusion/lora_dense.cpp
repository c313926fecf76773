#include "diffusion/lora_dense.h"

#include <fmt/format.h>

#include <algorithm>

#include "diffusion/safetensors.h"

namespace atelier::diffusion {
namespace {

/// The factors of one matrix, and whether they are there at all.
struct Product {
  LoraFactor a, b, tucker;
};

constexpr Product kLohaFirst{LoraFactor::hada_w1_a, LoraFactor::hada_w1_b, LoraFactor::hada_t1};
constexpr Product kLohaSecond{LoraFactor::hada_w2_a, LoraFactor::hada_w2_b, LoraFactor::hada_t2};
constexpr Product kLokrFirst{LoraFactor::lokr_w1_a, LoraFactor::lokr_w1_b, LoraFactor::lokr_w1};  // never in Tucker's
constexpr Product kLokrSecond{LoraFactor::lokr_w2_a, LoraFactor::lokr_w2_b, LoraFactor::lokr_t2};

Result<at::Tensor> factor_of(const LoraFactors& factors, LoraFactor wanted) {
  const auto found = factors.find(wanted);
  if (found == factors.end()) return fail(fmt::format("{} is missing", name_of(wanted)));
  return found->second.to(at::kFloat);
}

tl::unexpected<Error> misfit(LoraFactor first, const at::Tensor& a, LoraFactor second, const at::Tensor& b) {
  return fail(fmt::format("{} of shape {} and {} of shape {} do not fit together", name_of(first),
                          shape_text(a.sizes()), name_of(second), shape_text(b.sizes())));
}

struct Matrix {
  at::Tensor value;
  int64_t rank = 0;  ///< 0: it is whole
};

/// Tucker's form: core [r, r', kh, kw], a [r, out], b [r', in].
Result<Matrix> tucker(const Product& of, const at::Tensor& core, const at::Tensor& a, const at::Tensor& b) {
  if (core.dim() != 4 || a.dim() != 2 || core.size(0) != a.size(0)) return misfit(of.tucker, core, of.a, a);
  if (b.dim() != 2 || core.size(1) != b.size(0)) return misfit(of.tucker, core, of.b, b);
  return Matrix{at::einsum("pqkl,po,qi->oikl", {core, a, b}).contiguous(), b.size(0)};
}

Result<Matrix> product(const LoraFactors& factors, const Product& of, bool may_be_tucker) {
  const auto a = factor_of(factors, of.a), b = factor_of(factors, of.b);
  if (!a) return tl::unexpected(a.error());
  if (!b) return tl::unexpected(b.error());
  if (may_be_tucker && factors.contains(of.tucker)) return tucker(of, factors.at(of.tucker).to(at::kFloat), *a, *b);
  if (a->dim() != 2 || b->dim() < 2 || a->size(1) != b->size(0) || b->size(0) < 1) return misfit(of.a, *a, of.b, *b);
  std::vector<int64_t> shape = b->sizes().vec();
  shape[0] = a->size(0);
  return Matrix{at::mm(*a, b->flatten(1)).view(shape), b->size(0)};
}

Result<Matrix> whole_or_product(const LoraFactors& factors, LoraFactor whole, const Product& of, bool may_be_tucker) {
  if (!factors.contains(whole)) return product(factors, of, may_be_tucker);
  return Matrix{factors.at(whole).to(at::kFloat), 0};
}

double scale_of(double alpha, int64_t rank) { return rank == 0 || alpha == 0 ? 1 : alpha / static_cast<double>(rank); }

bool has_mark(const LoraFactors& factors, std::string_view mark) {
  return std::ranges::any_of(factors, [&](const auto& item) { return name_of(item.first).starts_with(mark); });
}

}  // namespace

Result<at::Tensor> loha_delta(const LoraFactors& factors, double alpha) {
  if (factors.contains(LoraFactor::hada_t1) != factors.contains(LoraFactor::hada_t2))
    return fail(fmt::format("{} is missing", factors.contains(LoraFactor::hada_t1) ? "hada_t2" : "hada_t1"));
  const auto first = product(factors, kLohaFirst, true), second = product(factors, kLohaSecond, true);
  if (!first) return tl::unexpected(first.error());
  if (!second) return tl::unexpected(second.error());
  if (first->value.sizes() != second->value.sizes())
    return fail(fmt::format("its two products have the shapes {} and {}", shape_text(first->value.sizes()),
                            shape_text(second->value.sizes())));
  return (first->value * second->value).mul_(scale_of(alpha, first->rank));
}

Result<at::Tensor> lokr_delta(const LoraFactors& factors, double alpha) {
  const auto first = whole_or_product(factors, LoraFactor::lokr_w1, kLokrFirst, false);
  const auto second = whole_or_product(factors, LoraFactor::lokr_w2, kLokrSecond, true);
  if (!first) return tl::unexpected(first.error());
  if (!second) return tl::unexpected(second.error());
  if (first->value.dim() != 2 || (second->value.dim() != 2 && second->value.dim() != 4))
    return fail(fmt::format("its two halves have the shapes {} and {}", shape_text(first->value.sizes()),
                            shape_text(second->value.sizes())));
  at::Tensor w1 = first->value;
  if (second->value.dim() == 4) w1 = w1.view({w1.size(0), w1.size(1), 1, 1});
  // Both halves' ranks are the layer's one; a half that is whole has none.
  return at::kron(w1, second->value).mul_(scale_of(alpha, std::max(first->rank, second->rank)));
}

bool is_loha(const LoraFactors& factors) { return has_mark(factors, "hada_"); }
bool is_lokr(const LoraFactors& factors) { return has_mark(factors, "lokr_"); }

}  // namespace atelier::diffusion
