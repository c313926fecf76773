#include "model/torch_call.h"

#include <c10/util/Exception.h>
#include <fmt/format.h>

#include <new>
#include <string_view>

#include "diffusion/thread_count.h"

namespace atelier {
namespace {

// The host's allocator throws a plain c10::Error.
bool tells_of_memory(std::string_view text) {
  return text.find("can't allocate memory") != std::string_view::npos ||
         text.find("out of memory") != std::string_view::npos;
}

}  // namespace

Expected<Outputs> call_torch(const Context& context, const std::function<Expected<Outputs>()>& body) try {
  const diffusion::ThreadCount threads(std::max(1, context.threads()));
  return body();
} catch (const std::bad_alloc&) {
  return failure("memory ran out", ErrorKind::out_of_memory);
} catch (const c10::Error& error) {
  const std::string text = error.what_without_backtrace();
  if (tells_of_memory(text)) return failure("memory ran out: " + text, ErrorKind::out_of_memory);
  return failure("libtorch: " + text, ErrorKind::fault);
}

at::Device torch_device(const std::string& id) {
  return id.starts_with("cuda") ? at::Device(id) : at::Device(at::kCPU);
}

}  // namespace atelier
