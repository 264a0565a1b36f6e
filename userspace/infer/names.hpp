#pragma once

#include <cstdint>
#include <unordered_map>

#include "base/ids.hpp"
#include "infer/segment.hpp"

namespace timesink::infer {

/// What statements are that were prepared before we could see, so that only a name is known of them, which on each connection may
/// mean another. Told by their answers where these describe their columns, of which two statements may have the same: then they
/// are one. Else by those who sent them: what this unit asks next is known from its route, and two names of a connection do not
/// mean the same. Owned by a Simulation. Bounded: beyond kMostNames no more are learned.
class Names {
public:
    static constexpr std::size_t kMostNames = 16384;

    /// The name on this connection; also what it means while that is like no other.
    static Shape name(Shape shape, SocketId connection);
    /// That it was certainly sent by somebody who would ask for this next.
    void learn(SocketId connection, Shape name, Shape meaning);
    /// What it means, as its answer says.
    void told(Shape name, Shape meaning);
    /// Zero: not known, or not always the same.
    [[nodiscard]] Shape meaning(Shape name) const;
    /// By an answer, not learned.
    [[nodiscard]] bool is_told(Shape name) const;
    /// Another name of the connection means it, which is not told.
    [[nodiscard]] bool means(SocketId connection, Shape meaning, Shape but) const;

private:
    struct Meaning {
        Shape shape{};
        std::uint16_t agree = 0;
        std::uint16_t differ = 0;
        bool told = false;
    };
    std::unordered_map<Shape, Meaning> names_;   // asked by key only
    std::unordered_map<Shape, Shape> meant_by_;  // ditto: the name of a meaning on a connection, the latest that was learned
};

}  // namespace timesink::infer
