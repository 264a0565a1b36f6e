#pragma once

#include <string>
#include <utility>
#include <variant>

namespace timesink {

/// Why something could not be done. `what` names the object and the place (file, offset, pid) and the reason (errno text); one
/// line, no full stop. `errno_value` is 0 where no system call failed. Hints for the user are added in cli/, not here.
struct Error {
    std::string what;
    int errno_value = 0;
};

/// Value or Error. Used for everything that bad input or the outside world can make fail; invariants use assert.
/// Not exceptions: a caller must see at the call that it can fail. Not std::expected: that is C++23.
template <typename T>
class [[nodiscard]] Result {
public:
    Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}      // NOLINT(google-explicit-constructor)
    Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}  // NOLINT(google-explicit-constructor)

    [[nodiscard]] bool ok() const { return state_.index() == 0; }
    explicit operator bool() const { return ok(); }
    /// Precondition for value(): ok(). For error(): !ok().
    [[nodiscard]] T& value() & { return std::get<0>(state_); }
    [[nodiscard]] const T& value() const& { return std::get<0>(state_); }
    [[nodiscard]] T&& value() && { return std::get<0>(std::move(state_)); }
    [[nodiscard]] const Error& error() const { return std::get<1>(state_); }
    T& operator*() & { return value(); }
    const T& operator*() const& { return value(); }
    T* operator->() { return &value(); }
    const T* operator->() const { return &value(); }

private:
    std::variant<T, Error> state_;
};

struct Done {};
using Status = Result<Done>;

}  // namespace timesink
