#include "proto/redis/queue_script.hpp"

#include <algorithm>
#include <array>

namespace timesink::proto::redis {
namespace {

/// The queue's own keys. Any other below its prefix is a job's.
constexpr std::array<std::string_view, 19> kOwn = {
    "active",        "completed",   "delayed",         "events", "failed",      "id",       "limiter", "marker",
    "meta",          "meta-paused", "paused",          "pc",     "prioritized", "priority", "repeat",  "stalled",
    "stalled-check", "wait",        "waiting-children"};

std::string_view last_part(std::string_view key) {
    return key.substr(key.rfind(':') + 1);
}

bool is_own(std::string_view key) {
    return std::find(kOwn.begin(), kOwn.end(), last_part(key)) != kOwn.end();
}

std::string name_of(std::string_view prefix) {
    constexpr std::string_view kDefault = "bull:";
    prefix.remove_prefix(prefix.starts_with(kDefault) ? kDefault.size() : 0);
    return std::string(prefix);
}

}  // namespace

void QueueScript::begin() {
    keys_.clear();
    own_keys_ = 0;
    does_ = Does::nothing;
    queue_.clear();
    job_.clear();
    failed_ = put_back_ = false;
}

void QueueScript::key(std::string_view key) {
    keys_.emplace_back(key);
    own_keys_ += is_own(key) ? 1 : 0;
}

void QueueScript::end() {
    const auto named = std::find_if(keys_.begin(), keys_.end(), is_own);
    if (named == keys_.end() || last_part(*named).size() + 1 >= named->size()) {
        return;
    }
    const std::string_view prefix = std::string_view(*named).substr(0, named->size() - last_part(*named).size() - 1);
    for (const std::string& key : keys_) {
        const bool below = key.size() > prefix.size() + 1 && key.starts_with(prefix) && key[prefix.size()] == ':';
        const std::string_view rest = below ? std::string_view(key).substr(prefix.size() + 1) : std::string_view{};
        // "17:lock", "metrics:completed": of a job or of the queue, but not a job.
        if (below && rest.find(':') == std::string_view::npos && !is_own(key) && job_.empty()) {
            job_ = rest;
        }
    }
    const auto has = [&](std::string_view name) {
        return std::any_of(keys_.begin(), keys_.end(), [&](const std::string& key) { return last_part(key) == name; });
    };
    const bool asks = keys_.size() > 2 && last_part(keys_[0]) == "wait" && last_part(keys_[1]) == "active";
    if (has("active") && !job_.empty() && own_keys_ >= 2 && !has("id")) {
        does_ = Does::settles;
        failed_ = has("failed") && !has("completed");
        put_back_ = !has("failed") && !has("completed");
    } else if (has("id") && (has("meta") || has("meta-paused"))) {
        does_ = Does::adds;
        job_.clear();
    } else if (asks && job_.empty()) {
        does_ = Does::takes;
    } else if (keys_.size() <= 2 && has("stalled")) {
        does_ = Does::renews;
    } else {
        return;
    }
    queue_ = name_of(prefix);
}

std::string queue_waited_for(std::string_view command, std::string_view key) {
    const std::string_view awaited = command == "BZPOPMIN"                            ? ":marker"
                                     : command == "BRPOPLPUSH" || command == "BLMOVE" ? ":wait"
                                                                                      : std::string_view{};
    const bool is = !awaited.empty() && key.size() > awaited.size() && key.ends_with(awaited);
    return is ? name_of(key.substr(0, key.size() - awaited.size())) : std::string();
}

bool is_counter(std::string_view id) {
    constexpr std::size_t kLongest = 19;
    return !id.empty() && id.size() <= kLongest && id.find_first_not_of("0123456789") == std::string_view::npos;
}

}  // namespace timesink::proto::redis
