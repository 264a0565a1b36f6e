#pragma once

#include <cstddef>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace timesink::proto::postgres {

/// The first keyword of an SQL text, upper-case; comments and brackets before it are skipped. Empty where there is none.
std::string leading_keyword(std::string_view sql);

/// Whether the text is nothing but what a driver or pool sends of its own accord to clean a session (RESET ALL, DISCARD …,
/// DEALLOCATE, CLOSE ALL, UNLISTEN *, pg_advisory_unlock_all) or to see whether the server is there (an empty text).
bool is_housekeeping(std::string_view sql);

/// Whether the client will send data after the statement: COPY … FROM STDIN.
bool is_copy_from_client(std::string_view sql);

/// Whether a truncated text may be such a COPY, or anything at all.
bool may_be_copy_from_client(std::string_view truncated);

/// Judged when it is prepared: it may be executed any number of times.
struct Statement {
    Statement(std::string_view name, std::string_view text, bool truncated);
    std::string name;
    std::string text;  ///< empty: prepared before the attach, or forgotten
    bool truncated = false;
    std::string operation;      ///< its leading_keyword()
    bool housekeeping = false;  ///< never without a text
    bool copies_in = false;     ///< is_copy_from_client()
};

/// What a connection's session knows by name: prepared statements and portals. Owned by its parser. Memory bounded: the oldest
/// statements are forgotten, and then have a name only.
class Statements {
public:
    static constexpr std::size_t kMostText = std::size_t{256} * 1024;
    static constexpr std::size_t kMostPortals = 64;
    /// Unnamed statements of no more than that are recognised when they are sent again.
    static constexpr std::size_t kMostRecent = 8;
    static constexpr std::size_t kLongestRecent = 1024;

    std::shared_ptr<const Statement> prepare(std::string_view name, std::string_view text, bool truncated);
    /// Never null; of an unknown name, a statement without text.
    [[nodiscard]] std::shared_ptr<const Statement> find(std::string_view name) const;
    void bind(std::string_view portal, std::shared_ptr<const Statement> statement);
    /// Null: not known.
    [[nodiscard]] std::shared_ptr<const Statement> bound(std::string_view portal) const;
    void forget(std::string_view name);
    void forget_portal(std::string_view portal);

private:
    std::shared_ptr<const Statement> unnamed(std::string_view text, bool truncated);

    std::map<std::string, std::shared_ptr<const Statement>, std::less<>> statements_;
    std::vector<std::shared_ptr<const Statement>> recent_;  ///< unnamed, the latest last
    std::deque<std::shared_ptr<const Statement>> by_age_;
    std::size_t text_bytes_ = 0;  ///< of by_age_
    std::map<std::string, std::shared_ptr<const Statement>, std::less<>> portals_;
};

}  // namespace timesink::proto::postgres
