//! `index.html`: self-contained, escaped, complete.

use report::analyse;

use crate::synthetic::{self, STRATEGIES, Synthetic};

fn page(data: &report::SweepData) -> String {
    let report = analyse(data);
    report::html::render(&report, &report::plots(&report))
}

#[test]
fn nothing_on_the_page_is_loaded_from_elsewhere() {
    let page = page(&synthetic::whole_sweep(1));
    for loader in ["src=", "href=\"http", "url(", "@import", "<script", "<link", "<iframe"] {
        assert!(!page.contains(loader), "{loader}");
    }
    let links = page.match_indices("http").map(|(at, _)| &page[at..at + 26]);
    for link in links {
        assert_eq!(link, "http://www.w3.org/2000/svg", "only the name of a namespace is allowed");
    }
}

#[test]
fn the_headline_is_the_first_heading_and_the_title() {
    let data = synthetic::whole_sweep(1);
    let headline = analyse(&data).headline;
    let page = page(&data);
    let heading = page.split("<h1>").nth(1).unwrap().split("</h1>").next().unwrap();
    let text = heading.replace("<span class=\"whole\">", "").replace("</span>", "");
    assert_eq!(text, headline);
    assert!(page.contains(&format!("<title>Manyhands: {headline}</title>")));
    assert!(page.contains("</h1><p class=\"detail\">Cannot be told apart from"));
    assert!(page.find("<h1").unwrap() < page.find("<h2").unwrap());
}

#[test]
fn what_configs_and_messages_say_is_escaped() {
    let page = page(&synthetic::whole_sweep(1));
    assert!(page.contains("&lt;made up&gt; &amp;"));
    assert!(!page.contains("<made up>") && !page.contains("Linux <12>"));
}

#[test]
fn every_table_names_its_rows_and_columns_and_has_a_caption() {
    let page = page(&synthetic::whole_sweep(1));
    let tables: Vec<&str> = page.split("<table>").skip(1).collect();
    assert!(tables.len() > 10);
    for table in tables {
        let table = table.split("</table>").next().unwrap();
        assert!(table.starts_with("<caption>"));
        assert!(table.contains("scope=\"col\"") && table.contains("scope=\"row\""));
    }
}

#[test]
fn every_strategy_is_in_every_table_where_it_applies() {
    let page = page(&synthetic::whole_sweep(1));
    for table in page.split("<table>").skip(1) {
        let table = table.split("</table>").next().unwrap();
        if !table.contains(">strategy</th>") {
            continue;
        }
        for name in &STRATEGIES[1..] {
            assert!(table.contains(&format!(">{name}<")), "{name} in {}", &table[..120]);
        }
    }
}

#[test]
fn an_interrupted_sweep_says_so() {
    let mut data = synthetic::whole_sweep(1);
    data.records.pop();
    assert!(page(&data).contains("The sweep was interrupted"));
}

#[test]
fn an_experiment_of_failures_only_is_shown_as_such() {
    let mut sweep = Synthetic::new(1);
    sweep.failures = synthetic::configurations(&[1, 2, 4])
        .into_iter()
        .map(|c| ("speed-up/square".to_owned(), c, harness::FailureKind::RunnerCrashed))
        .collect();
    sweep.speed_up();
    let page = page(&sweep.finish());
    assert!(page.contains("nothing could be measured"));
    assert!(page.contains("runner crashed (in run)"));
}
