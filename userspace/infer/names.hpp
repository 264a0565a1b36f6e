#pragma once

#include <cstdint>
#include <unordered_map>

#include "base/ids.hpp"
#include "infer/segment.hpp"

namespace timesink::infer {

/// What statements are that were prepared before we could see, so that only a name is known of them, which on each connection may
/// mean another. Told by those who sent them: what this unit asks next is known from its route.
/// Owned by a Simulation. Bounded: beyond kMostNames no more are learned.
/// Not by their replies: columns and their types are masked in recordings.
class Names {
public:
    static constexpr std::size_t kMostNames = 16384;

    /// The name on this connection.
    static Shape name(Shape shape, SocketId connection);
    /// That it was certainly sent by somebody who would ask for this next.
    void learn(Shape name, Shape meaning);
    /// Zero: not known, or not always the same.
    [[nodiscard]] Shape meaning(Shape name) const;

private:
    struct Meaning {
        Shape shape{};
        std::uint16_t agree = 0;
        std::uint16_t differ = 0;
    };
    std::unordered_map<Shape, Meaning> names_;  // asked by key only
};

}  // namespace timesink::infer
