// SPDX-License-Identifier: MIT
// A callable that is owned once and may own what cannot be copied; std::move_only_function is
// C++23.
#pragma once

#include <memory>
#include <utility>

namespace headgate::base {

template <class Signature>
class UniqueFunction;

template <class R, class... Args>
class UniqueFunction<R(Args...)> {
 public:
  UniqueFunction() = default;
  template <class F>
  requires(!std::is_same_v<std::decay_t<F>, UniqueFunction>)
      UniqueFunction(F&& callable)  // implicit, as std::function
      : target_(std::make_unique<Holder<std::decay_t<F>>>(std::forward<F>(callable))) {}

  R operator()(Args... args) { return target_->call(std::forward<Args>(args)...); }
  explicit operator bool() const { return target_ != nullptr; }

 private:
  struct Target {
    virtual ~Target() = default;
    virtual R call(Args&&... args) = 0;
  };
  template <class F>
  struct Holder final : Target {
    explicit Holder(F callable) : f(std::move(callable)) {}
    R call(Args&&... args) override { return f(std::forward<Args>(args)...); }
    F f;
  };
  std::unique_ptr<Target> target_;
};

}  // namespace headgate::base
