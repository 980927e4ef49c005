#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <variant>

#include "penstock/base/check.h"

namespace penstock {

/// What an error says about the effect of the call. There is no third: success is the value.
enum class Effect : std::uint8_t {
    none,     ///< certainly did not happen and will not
    unknown,  ///< may have happened, or may still
};

/// How much a store error took with it. Only store calls set it to more than `statement`.
enum class Lost : std::uint8_t { statement, transaction, session };

/// One code per reaction: a separate one exists only where some code reacts to it.
enum class Code : std::uint8_t {
    invalid,       ///< the caller's input; the text says what to give instead
    not_found,     ///< no such topic, partition, resource, file
    exists,        ///< already there, with other settings
    out_of_range,  ///< offset below the start or above the end of a partition
    overloaded,    ///< a bounded queue is full; try later
    not_ready,     ///< starting, rebuilding, no owner yet
    stopped,       ///< the component was told to stop
    no_space,      ///< disk or quota full
    io,            ///< disk or network failed
    damaged,       ///< damaged or missing history
    in_use,        ///< held by another process
    too_new,       ///< format or schema newer than this binary
    unsafe,        ///< settings that would break a promise
    conflict,      ///< deadlock, serialization failure: run the transaction again
    constraint,    ///< unique, check or foreign key violated
    fenced,        ///< somebody else owns it now
    too_large,     ///< over a named limit
    read_only,     ///< read-only disk or server
    unreachable,   ///< a server cannot be reached, or a port is taken
};

/// Text of the code as it stands in messages and metrics, e.g. "no_space".
const char* to_string(Code code);

struct Error {
    Code code = Code::io;
    Effect effect = Effect::none;
    Lost lost = Lost::statement;
    std::string text;  ///< says what happened and what to do
};

inline Error error(Code code, std::string text) {
    return Error{code, Effect::none, Lost::statement, std::move(text)};
}
inline Error unknown_effect(Code code, std::string text) {
    return Error{code, Effect::unknown, Lost::statement, std::move(text)};
}

/// A value or an Error. `value()` on an error is a bug of ours and ends the process.
template <class T>
class [[nodiscard]] Result {
public:
    Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}  // NOLINT: by design
    Result(Error failure) : state_(std::in_place_index<1>, std::move(failure)) {}  // NOLINT

    bool ok() const { return state_.index() == 0; }
    explicit operator bool() const { return ok(); }

    T& value() & { return PENSTOCK_CHECK(ok()), *std::get_if<0>(&state_); }
    const T& value() const& { return PENSTOCK_CHECK(ok()), *std::get_if<0>(&state_); }
    T&& value() && { return PENSTOCK_CHECK(ok()), std::move(*std::get_if<0>(&state_)); }
    T& operator*() & { return value(); }
    const T& operator*() const& { return value(); }
    T&& operator*() && { return std::move(*this).value(); }
    T* operator->() { return &value(); }
    const T* operator->() const { return &value(); }

    const Error& error() const& { return PENSTOCK_CHECK(!ok()), *std::get_if<1>(&state_); }
    Error&& error() && { return PENSTOCK_CHECK(!ok()), std::move(*std::get_if<1>(&state_)); }

private:
    std::variant<T, Error> state_;
};

template <>
class [[nodiscard]] Result<void> {
public:
    Result() = default;
    Result(Error failure) : failed_(true), error_(std::move(failure)) {}  // NOLINT: by design

    bool ok() const { return !failed_; }
    explicit operator bool() const { return ok(); }
    const Error& error() const& { return PENSTOCK_CHECK(!ok()), error_; }
    Error&& error() && { return PENSTOCK_CHECK(!ok()), std::move(error_); }

private:
    bool failed_ = false;
    Error error_{};
};

}  // namespace penstock

/// Returns the error of a Result from the enclosing function.
#define PENSTOCK_TRY(expression)                                           \
    do {                                                                   \
        if (auto penstock_try_result = (expression); !penstock_try_result) \
            return std::move(penstock_try_result).error();                 \
    } while (false)
