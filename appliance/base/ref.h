// SPDX-License-Identifier: MIT
// Shared ownership by a counter inside the object: one word a reference, no control block.
#pragma once

#include <atomic>
#include <cstdint>
#include <utility>

namespace headgate::base {

/// Base of objects owned by Ref<T>. Deleted by the last Ref, on whichever thread that is; a T whose
/// memory is not its own has `end_of_life() const`, which is called instead.
/// Threads: the counter is atomic; the object's own rules hold for the rest.
template <class T>
class RefCounted {
 public:
  RefCounted() = default;
  RefCounted(const RefCounted&) = delete;
  RefCounted& operator=(const RefCounted&) = delete;

  void ref() const { count_.fetch_add(1, std::memory_order_relaxed); }
  void unref() const {
    if (count_.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
    const T* object = static_cast<const T*>(this);
    if constexpr (requires { object->end_of_life(); })
      object->end_of_life();
    else
      delete object;
  }
  /// How many references there are right now; exact only while no other thread can make one.
  std::uint32_t use_count() const { return count_.load(std::memory_order_acquire); }

 protected:
  ~RefCounted() = default;

 private:
  mutable std::atomic<std::uint32_t> count_{0};
};

template <class T>
class Ref {
 public:
  Ref() = default;
  explicit Ref(T* object) : object_(object) {
    if (object_ != nullptr) object_->ref();
  }
  Ref(const Ref& other) : Ref(other.object_) {}
  Ref(Ref&& other) noexcept : object_(std::exchange(other.object_, nullptr)) {}
  template <class U>
  Ref(const Ref<U>& other) : Ref(other.get()) {}
  Ref& operator=(Ref other) noexcept {
    std::swap(object_, other.object_);
    return *this;
  }
  ~Ref() {
    if (object_ != nullptr) object_->unref();
  }

  T* get() const { return object_; }
  T* operator->() const { return object_; }
  T& operator*() const { return *object_; }
  explicit operator bool() const { return object_ != nullptr; }
  void reset() { *this = Ref(); }
  /// Gives up ownership without giving up the count: for C callbacks that carry a pointer. See
  /// adopt_ref.
  T* release() { return std::exchange(object_, nullptr); }

 private:
  T* object_ = nullptr;
};

/// Takes back what Ref::release gave away.
template <class T>
Ref<T> adopt_ref(T* object) {
  Ref<T> ref(object);
  if (object != nullptr) object->unref();
  return ref;
}

template <class T, class... Args>
Ref<T> make_ref(Args&&... args) {
  return Ref<T>(new T(std::forward<Args>(args)...));
}

}  // namespace headgate::base
