#pragma once

#include <cstdint>
#include <string_view>
#include <utility>

namespace timesink::s3 {

/// The parameters of a query, looked up by name; escapes are not undone (S3's names need none). A view; linear, as queries are
/// short.
class Query {
public:
    explicit Query(std::string_view text) : text_(text) {}

    [[nodiscard]] bool has(std::string_view name) const { return find(name).first; }
    /// Empty: not there, or without a value.
    [[nodiscard]] std::string_view value(std::string_view name) const { return find(name).second; }
    /// 0: not there, or no number of at most nine digits.
    [[nodiscard]] std::uint32_t number(std::string_view name) const {
        const std::string_view digits = value(name);
        std::uint32_t number = 0;
        for (const char c : digits) {
            if (c < '0' || c > '9' || digits.size() > 9) {
                return 0;
            }
            number = number * 10 + static_cast<std::uint32_t>(c - '0');
        }
        return number;
    }

private:
    [[nodiscard]] std::pair<bool, std::string_view> find(std::string_view name) const {
        for (std::string_view rest = text_; !rest.empty();) {
            const std::string_view each = rest.substr(0, rest.find('&'));
            rest.remove_prefix(each.size() < rest.size() ? each.size() + 1 : each.size());
            const std::size_t equals = each.find('=');
            if (each.substr(0, equals) == name) {
                return {true, equals == std::string_view::npos ? std::string_view() : each.substr(equals + 1)};
            }
        }
        return {false, {}};
    }

    std::string_view text_;
};

}  // namespace timesink::s3
