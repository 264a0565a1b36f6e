#include "infer/names.hpp"

namespace timesink::infer {

Shape Names::name(Shape shape, SocketId connection) {
    return static_cast<Shape>((static_cast<std::uint64_t>(shape) ^ number(connection) * 0x9e3779b97f4a7c15) * 0xff51afd7ed558ccd |
                              1);
}

void Names::told(Shape name, Shape meaning) {
    if (names_.size() < kMostNames || names_.contains(name)) {
        names_[name] = {meaning, 1, 0, true};
    }
}

bool Names::is_told(Shape name) const {
    const auto known = names_.find(name);
    return known != names_.end() && known->second.told;
}

void Names::learn(SocketId connection, Shape name, Shape meaning) {
    constexpr std::uint16_t kMost = 1000;
    if (names_.size() >= kMostNames && !names_.contains(name)) {
        return;
    }
    Meaning& known = names_[name];
    if (known.told) {
        return;
    }
    if (known.shape == meaning) {
        known.agree += known.agree < kMost ? 1 : 0;
    } else if (known.differ >= known.agree) {
        known = {meaning, 1, known.agree, false};
    } else {
        ++known.differ;
    }
    if (this->meaning(name) == meaning) {
        meant_by_[Names::name(meaning, connection)] = name;
    }
}

bool Names::means(SocketId connection, Shape meaning, Shape but) const {
    const auto found = meant_by_.find(name(meaning, connection));
    return found != meant_by_.end() && found->second != but && this->meaning(found->second) == meaning;
}

Shape Names::meaning(Shape name) const {
    constexpr int kEnough = 4;
    constexpr int kOften = 8;
    const auto known = names_.find(name);
    const bool sure =
        known != names_.end() &&
        (known->second.told || (known->second.agree >= kEnough && known->second.agree >= known->second.differ * kOften));
    return sure ? known->second.shape : Shape{};
}

}  // namespace timesink::infer
