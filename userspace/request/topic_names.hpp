#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <unordered_map>

namespace timesink::request {

/// Names of Kafka's topics by their ids (UUIDs, so they are the same on all connections), which Metadata tells on any connection
/// to any broker. Owned by the Tracker. Bounded: what comes when it is full is not remembered.
class TopicNames {
public:
    static constexpr std::size_t kMost = 16384;
    static constexpr std::size_t kIdDigits = 32;

    /// `told`: the id's digits, then the name.
    void learn(std::string_view told) {
        if (told.size() > kIdDigits && (names_.size() < kMost || names_.contains(std::string(told.substr(0, kIdDigits))))) {
            names_.insert_or_assign(std::string(told.substr(0, kIdDigits)), std::string(told.substr(kIdDigits)));
        }
    }
    /// Empty: not known.
    [[nodiscard]] std::string_view of(const std::string& id) const {
        const auto found = names_.find(id);
        return found == names_.end() ? std::string_view() : std::string_view(found->second);
    }

private:
    std::unordered_map<std::string, std::string> names_;
};

}  // namespace timesink::request
