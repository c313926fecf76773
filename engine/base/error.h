// base: errors. Leaf code returns tl::expected<T, Error>; two exception types stand above it.
#pragma once
#include <stdexcept>
#include <string>
#include <tl/expected.hpp>
#include <utility>

namespace atelier {

// What kind of failure it is decides what the engine does next.
enum class ErrorKind {
  input,          // what was given is wrong: never retried
  transient,      // I/O or a device that may come back: retried with back-off
  out_of_memory,  // retried with less
  disk_full,      // no other task would fare better: the run stops itself
  stopped,        // the task was asked to stop; not a failure, it goes on in the next run
  input_lost,     // an artifact it needs is missing or damaged: made again in another wave
  fault,          // a bug or a broken machine
};

struct Error {
  ErrorKind kind = ErrorKind::input;
  std::string message;  // what, where and what to do; one line
};

template <class T>
using Expected = tl::expected<T, Error>;

// A failure value to return: `return failure("photo.jpg: not an image");`
inline tl::unexpected<Error> failure(std::string message, ErrorKind kind = ErrorKind::input) {
  return tl::unexpected<Error>(Error{kind, std::move(message)});
}

// What was given is wrong. The text says what, where and what to do.
class UserError : public std::runtime_error {
  using std::runtime_error::runtime_error;
};

// A bug or a broken machine.
class Fault : public std::runtime_error {
  using std::runtime_error::runtime_error;
};

}  // namespace atelier
