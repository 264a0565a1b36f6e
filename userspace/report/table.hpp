#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace timesink::report {

/// A table of text: the column `flexible` takes what the others leave; columns are dropped from the right until it has its least
/// width. Cells are safe text.
class Table {
public:
    struct Column {
        std::string title;
        std::vector<std::string> cells;
        bool right = true;  ///< aligned
    };

    Table(std::size_t flexible, std::size_t least) : flexible_(flexible), least_(least) {}
    void add(Column column) { columns_.push_back(std::move(column)); }
    void add_numbers(std::string title, const std::vector<std::string>& numbers);  ///< aligned on their decimal points
    /// The title line first. At most `width` columns each.
    [[nodiscard]] std::vector<std::string> lines(std::size_t width) const;

private:
    std::vector<Column> columns_;
    std::size_t flexible_;
    std::size_t least_;
};

}  // namespace timesink::report
