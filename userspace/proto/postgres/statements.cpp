#include "proto/postgres/statements.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "base/ascii.hpp"

namespace timesink::proto::postgres {
namespace {

bool is_space(char c) {
    return c == ' ' || (c >= '\t' && c <= '\r');
}
bool is_word(char c) {
    return is_letter(c) || is_digit(c) || c == '_';
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

/// Precondition: at < sql.size().
bool begins_comment(std::string_view sql, std::size_t at) {
    const char first = sql[at];
    const char second = at + 1 < sql.size() ? sql[at + 1] : '\0';
    return (first == '-' && second == '-') || (first == '/' && second == '*');
}

/// Gives a text in upper case, comments dropped and runs of space made one.
class Folder {
public:
    explicit Folder(std::string_view sql) : sql_(sql) {}
    /// False: it is over.
    bool next(char& folded) {
        while (at_ < sql_.size()) {
            if (begins_comment(sql_, at_)) {
                at_ = skip_comment(sql_, at_);
                continue;
            }
            const char c = sql_[at_++];
            if (!is_space(c)) {
                last_ = folded = to_upper(c);
                return true;
            }
            if (last_ != ' ') {
                last_ = folded = ' ';
                return true;
            }
        }
        return false;
    }

private:
    std::string_view sql_;
    std::size_t at_ = 0;
    char last_ = ' ';  ///< given; none is given at the begin
};

constexpr std::string_view kCleaning[] = {
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
constexpr std::string_view kDeallocate = "DEALLOCATE ";
constexpr std::string_view kCopy = "COPY";

bool is_cleaning(std::string_view statement) {
    return std::find(std::begin(kCleaning), std::end(kCleaning), statement) != std::end(kCleaning) ||
           statement.starts_with(kDeallocate);
}

/// Whether a statement that begins so may be one of them. As many characters tell nearly all others apart, and none is shorter.
constexpr std::size_t kTelling = 9;
bool may_clean(std::string_view begin) {
    return kDeallocate.starts_with(begin) || std::any_of(std::begin(kCleaning), std::end(kCleaning),
                                                         [begin](std::string_view each) { return each.starts_with(begin); });
}

std::string_view trim(std::string_view folded) {
    folded.remove_prefix(folded.starts_with(' ') ? 1 : 0);
    folded.remove_suffix(folded.ends_with(' ') ? 1 : 0);
    return folded;
}

/// The first word, as it is written, as far as keywords are long.
std::string_view first_word(std::string_view sql) {
    constexpr std::size_t kLongestKeyword = 32;
    std::size_t at = 0;
    while (at < sql.size() && !is_word(sql[at])) {
        at = begins_comment(sql, at) ? skip_comment(sql, at) : at + 1;
    }
    std::size_t end = at;
    while (end < sql.size() && is_word(sql[end]) && end - at < kLongestKeyword) {
        ++end;
    }
    return sql.substr(at, end - at);
}

}  // namespace

std::string leading_keyword(std::string_view sql) {
    std::string keyword(first_word(sql));
    std::transform(keyword.begin(), keyword.end(), keyword.begin(), to_upper);
    return keyword;
}

bool is_housekeeping(std::string_view sql) {
    std::array<char, 512> folded;  // what is longer is none
    std::size_t size = 0;
    std::size_t begin = 0;  // of the statement
    Folder folder(sql);
    for (char c = 0; folder.next(c);) {
        if (size + 1 == folded.size() || c == '\'' || c == '"' || c == '$') {
            return false;
        }
        folded[size++] = c;
        const std::string_view statement = trim({folded.data() + begin, size - begin - (c == ';' ? 1 : 0)});
        if (c == ';') {
            if (!statement.empty() && !is_cleaning(statement)) {
                return false;
            }
            begin = size;
        } else if (size - begin == kTelling && !may_clean(statement)) {
            return false;
        }
    }
    const std::string_view statement = trim({folded.data() + begin, size - begin});
    return statement.empty() || is_cleaning(statement);
}

bool is_copy_from_client(std::string_view sql) {
    constexpr std::string_view kFrom = " FROM STDIN";
    const std::string_view word = first_word(sql);
    if (!std::equal(word.begin(), word.end(), kCopy.begin(), kCopy.end(), [](char a, char b) { return to_upper(a) == b; })) {
        return false;
    }
    std::string folded;
    Folder folder(sql);
    for (char c = 0; folder.next(c);) {
        folded.push_back(c);
    }
    return folded.find(kFrom) != std::string::npos;
}

bool may_be_copy_from_client(std::string_view truncated) {
    const std::string keyword = leading_keyword(truncated);
    return keyword.empty() || kCopy.starts_with(keyword);
}

Statement::Statement(std::string_view given, std::string_view sql, bool cut)
    : name(given),
      text(sql),
      truncated(cut),
      operation(leading_keyword(sql)),
      housekeeping(!sql.empty() && is_housekeeping(sql)),
      copies_in(is_copy_from_client(sql)) {}

/// Drivers that prepare nothing by name send the same few texts again and again.
std::shared_ptr<const Statement> Statements::unnamed(std::string_view text, bool truncated) {
    const auto known = std::find_if(recent_.begin(), recent_.end(),
                                    [&](const auto& each) { return each->truncated == truncated && each->text == text; });
    if (known != recent_.end()) {
        std::rotate(known, known + 1, recent_.end());
        return recent_.back();
    }
    auto statement = std::make_shared<const Statement>(std::string_view(), text, truncated);
    if (text.size() <= kLongestRecent) {
        if (recent_.size() == kMostRecent) {
            recent_.erase(recent_.begin());
        }
        recent_.push_back(statement);
    }
    return statement;
}

std::shared_ptr<const Statement> Statements::prepare(std::string_view name, std::string_view text, bool truncated) {
    if (name.empty()) {
        // It lasts until the next.
        const auto last = statements_.find(name);
        return (last != statements_.end() ? last->second : statements_[std::string()]) = unnamed(text, truncated);
    }
    auto statement = std::make_shared<const Statement>(name, text, truncated);
    statements_[std::string(name)] = statement;
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
    return known != statements_.end() ? known->second : std::make_shared<const Statement>(name, std::string_view(), false);
}

void Statements::bind(std::string_view portal, std::shared_ptr<const Statement> statement) {
    if (portals_.size() >= kMostPortals && !portals_.contains(portal)) {
        portals_.clear();  // a client that leaves this many open has lost interest in most; those in use are bound anew
    }
    const auto known = portals_.find(portal);
    (known != portals_.end() ? known->second : portals_[std::string(portal)]) = std::move(statement);
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
