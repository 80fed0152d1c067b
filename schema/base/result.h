// SPDX-License-Identifier: MIT
// How a function of ours fails: a value of type Error that says what, whose fault, and whether
// another try can help.
#pragma once

#include <fmt/format.h>

#include <string>
#include <tl/expected.hpp>
#include <type_traits>
#include <utility>

namespace headgate {

/// Who can mend an error; picks the status code and the log reason.
enum class Blame { Client, Origin, Self, Config };

/// Whether, and where, the same work may be tried again.
enum class Retry { Never, SameOrigin, OtherOrigin };

/// A failure and its way up. `context` reads from the outermost caller to the cause: "reading
/// journal: pread: I/O error".
struct Error {
  Blame blame = Blame::Self;
  Retry retry = Retry::Never;
  std::string context;

  /// The same error one frame further out.
  Error within(std::string_view outer) && {
    context = fmt::format("{}: {}", outer, context);
    return std::move(*this);
  }
};

/// A value or an Error. An inheriting class because an alias cannot carry [[nodiscard]].
template <class T>
class [[nodiscard]] Result : public tl::expected<T, Error> {
 public:
  using tl::expected<T, Error>::expected;
};

using Status = Result<void>;

/// `return fail(Blame::Config, "port {} is taken", port);`
template <class... Args>
tl::unexpected<Error> fail(Blame blame, fmt::format_string<Args...> format, Args&&... args) {
  Error error;
  error.blame = blame;
  error.context = fmt::format(format, std::forward<Args>(args)...);
  return tl::unexpected<Error>(std::move(error));
}

}  // namespace headgate

#define HG_CONCAT_INNER(a, b) a##b
#define HG_CONCAT(a, b) HG_CONCAT_INNER(a, b)

/// `HG_TRY(auto file, open(path), "opening {}", path);` declares `file`, or returns the error with
/// that context in front.
#define HG_TRY(declaration, expression, ...)                                               \
  auto HG_CONCAT(hg_try_, __LINE__) = (expression);                                        \
  if (!HG_CONCAT(hg_try_, __LINE__))                                                       \
    return tl::unexpected<::headgate::Error>(                                              \
        std::move(HG_CONCAT(hg_try_, __LINE__).error()).within(fmt::format(__VA_ARGS__))); \
  declaration = std::move(*HG_CONCAT(hg_try_, __LINE__))

/// `HG_CHECK(file.sync(), "writing {}", path);` for a Status.
#define HG_CHECK(expression, ...)                \
  if (auto hg_status = (expression); !hg_status) \
  return tl::unexpected<::headgate::Error>(      \
      std::move(hg_status.error()).within(fmt::format(__VA_ARGS__)))
