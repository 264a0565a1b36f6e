#include "proto/postgres/statements.hpp"

#include <algorithm>
#include <utility>

namespace timesink::proto::postgres {
namespace {

bool is_space(char c) {
    return c == ' ' || (c >= '\t' && c <= '\r');
}
bool is_word(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}
char upper(char c) {
    return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
}

std::size_t skip_comment(std::string_view sql, std::size_t at) {
    if (sql.substr(at, 2) == "--") {
        return std::min(sql.find('\n', at), sql.size());
    }
    std::size_t depth = 0;  // PostgreSQL's block comments nest
    while (at < sql.size()) {
        if (sql.substr(at, 2) == "/*") {
            ++depth;
            at += 2;
        } else if (sql.substr(at, 2) == "*/") {
            at += 2;
            if (--depth == 0) {
                return at;
            }
        } else {
            ++at;
        }
    }
    return sql.size();
}

bool begins_comment(std::string_view sql, std::size_t at) {
    return sql.substr(at, 2) == "--" || sql.substr(at, 2) == "/*";
}

/// The text in upper case, comments dropped and runs of space made one, up to `limit` bytes.
std::string fold(std::string_view sql, std::size_t limit) {
    std::string out;
    for (std::size_t at = 0; at < sql.size() && out.size() < limit;) {
        if (begins_comment(sql, at)) {
            at = skip_comment(sql, at);
        } else if (is_space(sql[at])) {
            ++at;
            if (!out.empty() && out.back() != ' ') {
                out.push_back(' ');
            }
        } else {
            out.push_back(upper(sql[at++]));
        }
    }
    return out;
}

bool is_cleaning(std::string_view statement) {
    constexpr std::string_view kWhole[] = {
        "RESET ALL",
        "DISCARD ALL",
        "DISCARD PLANS",
        "DISCARD TEMP",
        "DISCARD TEMPORARY",
        "DISCARD SEQUENCES",
        "DEALLOCATE ALL",
        "CLOSE ALL",
        "UNLISTEN *",
        "SELECT PG_ADVISORY_UNLOCK_ALL()",
        "RESET SESSION AUTHORIZATION",
    };
    return std::find(std::begin(kWhole), std::end(kWhole), statement) != std::end(kWhole) || statement.starts_with("DEALLOCATE ");
}

}  // namespace

std::string leading_keyword(std::string_view sql) {
    std::size_t at = 0;
    while (at < sql.size() && !is_word(sql[at])) {
        at = begins_comment(sql, at) ? skip_comment(sql, at) : at + 1;
    }
    std::string keyword;
    constexpr std::size_t kLongestKeyword = 32;
    while (at < sql.size() && is_word(sql[at]) && keyword.size() < kLongestKeyword) {
        keyword.push_back(upper(sql[at++]));
    }
    return keyword;
}

bool is_housekeeping(std::string_view sql) {
    constexpr std::size_t kLongest = 512;
    const std::string folded = fold(sql, kLongest);
    if (folded.size() >= kLongest || folded.find_first_of("'\"$") != std::string::npos) {
        return false;
    }
    std::string_view rest = folded;
    while (true) {
        const std::size_t end = std::min(rest.find(';'), rest.size());
        std::string_view statement = rest.substr(0, end);
        while (!statement.empty() && statement.front() == ' ') {
            statement.remove_prefix(1);
        }
        while (!statement.empty() && statement.back() == ' ') {
            statement.remove_suffix(1);
        }
        if (!statement.empty() && !is_cleaning(statement)) {
            return false;
        }
        if (end == rest.size()) {
            return true;
        }
        rest.remove_prefix(end + 1);
    }
}

bool is_copy_from_client(std::string_view sql) {
    if (leading_keyword(sql) != "COPY") {
        return false;
    }
    const std::string folded = fold(sql, sql.size());
    return folded.find(" FROM STDIN") != std::string::npos;
}

bool may_be_copy_from_client(std::string_view truncated) {
    const std::string keyword = leading_keyword(truncated);
    return keyword == "COPY" || keyword.empty() || (keyword.size() < 4 && std::string_view("COPY").starts_with(keyword));
}

std::shared_ptr<const Statement> Statements::prepare(std::string_view name, std::string_view text, bool truncated) {
    auto statement = std::make_shared<const Statement>(Statement{std::string(name), std::string(text), truncated});
    statements_[std::string(name)] = statement;
    if (name.empty()) {
        return statement;  // the unnamed one lasts until the next
    }
    // A floor per statement: names and nodes cost memory too.
    constexpr std::size_t kNode = 128;
    by_age_.push_back(statement);
    text_bytes_ += text.size() + name.size() + kNode;
    while (text_bytes_ > kMostText && by_age_.size() > 1) {
        const std::shared_ptr<const Statement> oldest = std::move(by_age_.front());
        by_age_.pop_front();
        text_bytes_ -= oldest->text.size() + oldest->name.size() + kNode;
        const auto known = statements_.find(oldest->name);
        if (known != statements_.end() && known->second == oldest) {
            statements_.erase(known);
        }
    }
    return statement;
}

std::shared_ptr<const Statement> Statements::find(std::string_view name) const {
    const auto known = statements_.find(name);
    return known != statements_.end() ? known->second
                                      : std::make_shared<const Statement>(Statement{std::string(name), {}, false});
}

void Statements::bind(std::string_view portal, std::shared_ptr<const Statement> statement) {
    if (portals_.size() >= kMostPortals && !portals_.contains(portal)) {
        portals_.clear();  // a client that leaves this many open has lost interest in most; those in use are bound anew
    }
    portals_[std::string(portal)] = std::move(statement);
}

std::shared_ptr<const Statement> Statements::bound(std::string_view portal) const {
    const auto known = portals_.find(portal);
    return known != portals_.end() ? known->second : nullptr;
}

void Statements::forget(std::string_view name) {
    const auto known = statements_.find(name);
    if (known != statements_.end()) {
        statements_.erase(known);
    }
}

void Statements::forget_portal(std::string_view portal) {
    const auto known = portals_.find(portal);
    if (known != portals_.end()) {
        portals_.erase(known);
    }
}

}  // namespace timesink::proto::postgres
