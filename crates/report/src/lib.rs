//! From records to tables, plots and a self-contained HTML page
