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

/// up [out, r] times down [r, in] or [r, in, kh, kw]; without an up, down is the whole matrix.
struct Matrix {
  std::optional<at::Tensor> up;
  at::Tensor down;

  bool is_thin() const { return up.has_value(); }
  int64_t rank() const { return up ? up->size(1) : 0; }
  at::IntArrayRef columns() const { return down.sizes().slice(1); }
  int64_t rows() const { return (up ? *up : down).size(0); }

  at::Tensor value() const {
    if (!up) return down;
    std::vector<int64_t> shape = down.sizes().vec();
    shape[0] = up->size(0);
    return at::mm(*up, down.flatten(1)).view(shape);
  }
};

/// Tucker's form: core [r, r', kh, kw], a [r, out], b [r', in].
Result<Matrix> tucker(const Product& of, const at::Tensor& core, const at::Tensor& a, const at::Tensor& b) {
  if (core.dim() != 4 || a.dim() != 2 || core.size(0) != a.size(0)) return misfit(of.tucker, core, of.a, a);
  if (b.dim() != 2 || core.size(1) != b.size(0)) return misfit(of.tucker, core, of.b, b);
  return Matrix{.up = a.t(), .down = at::einsum("pqkl,qi->pikl", {core, b}).contiguous()};
}

Result<Matrix> product(const LoraFactors& factors, const Product& of, bool may_be_tucker) {
  const auto a = factor_of(factors, of.a), b = factor_of(factors, of.b);
  if (!a) return tl::unexpected(a.error());
  if (!b) return tl::unexpected(b.error());
  if (may_be_tucker && factors.contains(of.tucker)) return tucker(of, factors.at(of.tucker).to(at::kFloat), *a, *b);
  if (a->dim() != 2 || b->dim() < 2 || a->size(1) != b->size(0) || b->size(0) < 1) return misfit(of.a, *a, of.b, *b);
  return Matrix{.up = *a, .down = *b};
}

Result<Matrix> whole_or_product(const LoraFactors& factors, LoraFactor whole, const Product& of, bool may_be_tucker) {
  if (!factors.contains(whole)) return product(factors, of, may_be_tucker);
  return Matrix{.up = std::nullopt, .down = factors.at(whole).to(at::kFloat)};
}

/// The two matrices that an update is made of, and the rank that its alpha is divided by.
struct Halves {
  Matrix first, second;
  int64_t rank = 0;
};

tl::unexpected<Error> bad_halves(const char* what, const Halves& halves) {
  return fail(fmt::format("its two {} have the shapes {} and {}", what, shape_text(halves.first.value().sizes()),
                          shape_text(halves.second.value().sizes())));
}

Result<Halves> loha_halves(const LoraFactors& factors) {
  if (factors.contains(LoraFactor::hada_t1) != factors.contains(LoraFactor::hada_t2))
    return fail(fmt::format("{} is missing", factors.contains(LoraFactor::hada_t1) ? "hada_t2" : "hada_t1"));
  const auto first = product(factors, kLohaFirst, true), second = product(factors, kLohaSecond, true);
  if (!first) return tl::unexpected(first.error());
  if (!second) return tl::unexpected(second.error());
  // LyCORIS divides by the rows of w1_b, which are Tucker's other rank.
  const Halves halves{*first, *second, factors.at(LoraFactor::hada_w1_b).size(0)};
  if (first->rows() != second->rows() || first->columns() != second->columns()) return bad_halves("products", halves);
  return halves;
}

Result<Halves> lokr_halves(const LoraFactors& factors) {
  const auto first = whole_or_product(factors, LoraFactor::lokr_w1, kLokrFirst, false);
  const auto second = whole_or_product(factors, LoraFactor::lokr_w2, kLokrSecond, true);
  if (!first) return tl::unexpected(first.error());
  if (!second) return tl::unexpected(second.error());
  // Both halves' ranks are the layer's one; a half that is whole has none.
  const int64_t of_second = second->is_thin() ? factors.at(LoraFactor::lokr_w2_b).size(0) : 0;
  const Halves halves{*first, *second, std::max(first->rank(), of_second)};
  const size_t kernel = second->columns().size();
  if (first->columns().size() != 1 || (kernel != 1 && kernel != 3)) return bad_halves("halves", halves);
  return halves;
}

Result<Halves> halves_of(DenseKind kind, const LoraFactors& factors) {
  return kind == DenseKind::loha ? loha_halves(factors) : lokr_halves(factors);
}

double scale_of(double alpha, int64_t rank) { return rank == 0 || alpha == 0 ? 1 : alpha / static_cast<double>(rank); }

/// The Kronecker product of a matrix and one whose entries may be kernels. at::kron of libtorch 1.13 fails on strides
/// that are unusual, as those of a transposed single row are.
at::Tensor kronecker(const at::Tensor& matrix, const at::Tensor& other) {
  const at::Tensor first = matrix.clone(at::MemoryFormat::Contiguous);
  const at::Tensor second = other.clone(at::MemoryFormat::Contiguous);
  return at::kron(second.dim() == 2 ? first : first.view({first.size(0), first.size(1), 1, 1}), second);
}

/// Khatri and Rao: each column of up is that of the first times that of the second, each row of down alike.
Matrix hadamard_factors(const Matrix& first, const Matrix& second) {
  return {.up = (first.up->unsqueeze(2) * second.up->unsqueeze(1)).flatten(1),
          .down = (first.down.unsqueeze(1) * second.down.unsqueeze(0)).flatten(0, 1)};
}

at::Tensor identity_like(const at::Tensor& matrix, int64_t dimension) {
  return at::eye(matrix.size(dimension), matrix.options());
}

/// (U1 D1) x (U2 D2) = (U1 x U2) (D1 x D2), where a whole matrix is itself times the identity or that times itself.
std::optional<Matrix> kronecker_factors(const Matrix& first, const Matrix& second) {
  if (first.up && second.up) return Matrix{kronecker(*first.up, *second.up), kronecker(first.down, second.down)};
  if (first.up) return Matrix{kronecker(*first.up, identity_like(second.down, 0)), kronecker(first.down, second.down)};
  if (!second.up) return std::nullopt;
  const at::Tensor& whole = first.down;
  if (whole.size(0) < whole.size(1))
    return Matrix{kronecker(identity_like(whole, 0), *second.up), kronecker(whole, second.down)};
  return Matrix{kronecker(whole, *second.up), kronecker(identity_like(whole, 1), second.down)};
}

bool has_mark(const LoraFactors& factors, std::string_view mark) {
  return std::ranges::any_of(factors, [&](const auto& item) { return name_of(item.first).starts_with(mark); });
}

}  // namespace

std::string_view name_of(DenseKind kind) { return kind == DenseKind::loha ? "LoHa" : "LoKr"; }

Result<DenseUpdate> DenseUpdate::create(DenseKind kind, LoraFactors factors, double alpha) {
  const auto halves = halves_of(kind, factors);
  if (!halves) return tl::unexpected(halves.error());
  DenseUpdate update(kind, std::move(factors), alpha);
  const Matrix &first = halves->first, &second = halves->second;
  update.shape_ = {second.rows()};
  for (const int64_t side : second.columns()) update.shape_.push_back(side);
  if (kind == DenseKind::lokr) {
    update.shape_[0] *= first.rows();
    update.shape_[1] *= first.columns()[0];
  }
  return update;
}

at::Tensor DenseUpdate::delta() const {
  const Halves halves = *halves_of(kind_, factors_);
  const at::Tensor first = halves.first.value(), second = halves.second.value();
  return (kind_ == DenseKind::loha ? first * second : kronecker(first, second)).mul_(scale_of(alpha_, halves.rank));
}

std::optional<LoraLayer> DenseUpdate::as_layer() const {
  const Halves halves = *halves_of(kind_, factors_);
  const std::optional<Matrix> thin = kind_ == DenseKind::loha ? hadamard_factors(halves.first, halves.second)
                                                              : kronecker_factors(halves.first, halves.second);
  if (!thin || thin->rank() >= std::min(thin->rows(), thin->down.flatten(1).size(1))) return std::nullopt;
  return LoraLayer{.a = thin->down.contiguous(),
                   .b = thin->up->contiguous(),
                   .alpha = scale_of(alpha_, halves.rank) * static_cast<double>(thin->rank())};
}

bool is_loha(const LoraFactors& factors) { return has_mark(factors, "hada_"); }
bool is_lokr(const LoraFactors& factors) { return has_mark(factors, "lokr_"); }

}  // namespace atelier::diffusion
