#include <algorithm>
#include <string>

#include "base/ascii.hpp"
#include "rules/rules.hpp"

namespace timesink::rules {

std::string_view name(Bucket bucket) {
    switch (bucket) {
        case Bucket::db:
            return "db";
        case Bucket::transfer:
            return "transfer";
        case Bucket::internal:
            return "internal";
        default:
            return "provider";
    }
}

bool covers(std::string_view pattern, std::string_view text, bool segments) {
    // reached[i]: the pattern so far covers text[0, i).
    std::vector<bool> reached(text.size() + 1, false);
    reached[0] = true;
    for (std::size_t at = 0; at < pattern.size(); ++at) {
        if (pattern[at] == '*') {
            const bool all = !segments || (at + 1 < pattern.size() && pattern[at + 1] == '*');
            at += at + 1 < pattern.size() && pattern[at + 1] == '*' ? 1 : 0;
            for (std::size_t i = 0; i < text.size(); ++i) {
                reached[i + 1] = reached[i + 1] || (reached[i] && (all || text[i] != '/'));
            }
            continue;
        }
        for (std::size_t i = text.size(); i > 0; --i) {
            reached[i] = reached[i - 1] && text[i - 1] == pattern[at];
        }
        reached[0] = false;
    }
    return reached[text.size()];
}

namespace {

bool any(const std::vector<std::string>& patterns, std::string_view text, bool segments) {
    return std::any_of(patterns.begin(), patterns.end(),
                       [&](const std::string& pattern) { return covers(pattern, text, segments); });
}

/// "image/png; charset=x" is an image/png.
std::string essence(std::string_view type) {
    type = type.substr(0, type.find(';'));
    while (type.ends_with(' ')) {
        type.remove_suffix(1);
    }
    return lower(type);
}

}  // namespace

bool Rule::matches(const Call& call) const {
    if (!protocols.empty() && std::find(protocols.begin(), protocols.end(), call.protocol) == protocols.end()) {
        return false;
    }
    if (!hosts.empty() && !any(hosts, lower(call.host), false) && !any(hosts, call.address, false)) {
        return false;
    }
    const bool port_fits = std::any_of(ports.begin(), ports.end(),
                                       [&](const auto& range) { return range.first <= call.port && call.port <= range.second; });
    if (!ports.empty() && !port_fits) {
        return false;
    }
    const auto is_operation = [&](const std::string& each) {
        return each == lower(call.operation) || (!call.method.empty() && each == lower(call.method));
    };
    if (!operations.empty() && std::none_of(operations.begin(), operations.end(), is_operation)) {
        return false;
    }
    if (!routes.empty() && (call.route.empty() || !any(routes, call.route, true))) {
        return false;
    }
    const auto body_fits = [&](std::string_view type, std::uint64_t bytes) {
        return (types.empty() || (!type.empty() && any(types, essence(type), false))) && bytes >= least_bytes &&
               (!most_bytes || bytes <= *most_bytes);
    };
    const bool in = way != Way::out && body_fits(call.type_in, call.bytes_in);
    const bool out = way != Way::in && body_fits(call.type_out, call.bytes_out);
    return in || out;
}

std::uint32_t RuleSet::match(const Call& call) const {
    const auto found = std::find_if(rules_.begin(), rules_.end(), [&](const Rule& rule) { return rule.matches(call); });
    return found == rules_.end() ? 0 : static_cast<std::uint32_t>(found - rules_.begin()) + 1;
}

}  // namespace timesink::rules
