#pragma once

#include <compare>
#include <cstddef>
#include <functional>
#include <utility>

namespace penstock {

/// A value whose type says what it counts or names: mixing two tags does not compile.
template <class Value, class Tag>
class StrongId {
public:
    using value_type = Value;

    constexpr StrongId() = default;
    constexpr explicit StrongId(Value value) : value_(std::move(value)) {}

    constexpr const Value& value() const { return value_; }
    friend constexpr auto operator<=>(const StrongId&, const StrongId&) = default;

private:
    Value value_{};
};

}  // namespace penstock

template <class Value, class Tag>
struct std::hash<penstock::StrongId<Value, Tag>> {
    std::size_t operator()(const penstock::StrongId<Value, Tag>& id) const {
        return std::hash<Value>{}(id.value());
    }
};
