from __future__ import annotations

import gzip
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.common.errors import InputError
from pipeline.data.sources.rdf import read_rdf
from pipeline.data.sources.tables import TablesSource
from tests.repository import ROOT

TURTLE = """@prefix ex: <http://example.org/> .
@prefix rdfs: <http://www.w3.org/2000/01/rdf-schema#> .
@prefix xsd: <http://www.w3.org/2001/XMLSchema#> .
ex:heat a ex:Film ; rdfs:label "Hitze"@de, "Heat"@en, "Heat (film)"@en-US ;
    ex:year "1995"^^xsd:gYear ; ex:length "long"^^xsd:int ; ex:by ex:mann ;
    ex:award [ ex:place "Cannes" ] ; ex:tag "crime", "noir"@fr, "noirceur"@it ; ex:see <other> .
ex:mann rdfs:label "Michael Mann" .
"""
SEE = "file:///other"
EX, LABEL = "http://example.org/", "http://www.w3.org/2000/01/rdf-schema#label"
TRIPLES = {
    (f"{EX}heat", "http://www.w3.org/1999/02/22-rdf-syntax-ns#type", f"{EX}Film"),
    # English, of whatever kind, and no other language beside it.
    (f"{EX}heat", LABEL, "Heat"),
    (f"{EX}heat", LABEL, "Heat (film)"),
    (f"{EX}heat", f"{EX}year", "1995"),
    (f"{EX}heat", f"{EX}length", "long"),
    (f"{EX}heat", f"{EX}by", f"{EX}mann"),
    (f"{EX}heat", f"{EX}award", "_:1"),
    ("_:1", f"{EX}place", "Cannes"),
    # What has no language says something else than what has one.
    (f"{EX}heat", f"{EX}tag", "crime"),
    (f"{EX}heat", f"{EX}tag", "noir"),
    (f"{EX}heat", f"{EX}see", SEE),
    (f"{EX}mann", LABEL, "Michael Mann"),
}


def as_ntriples() -> str:
    import rdflib

    return rdflib.Graph().parse(data=TURTLE, format="turtle", publicID="file:///").serialize(format="nt")


def as_xml() -> str:
    import rdflib

    return rdflib.Graph().parse(data=TURTLE, format="turtle", publicID="file:///").serialize(format="xml")


@pytest.mark.parametrize(("ending", "text"), [(".ttl", TURTLE), (".nt", as_ntriples()), (".rdf", as_xml())])
def test_the_same_graph_in_three_forms(ending: str, text: str, caplog: pytest.LogCaptureFixture) -> None:
    table = read_rdf(text.encode(), "kg", ending)
    assert set(table.frame.rows()) == TRIPLES
    assert len(table.frame) == len(TRIPLES)
    # RDFLib says nothing of the length that is none.
    assert caplog.records == []


def test_blank_nodes_have_the_same_names_in_every_process() -> None:
    text = "@prefix : <http://e/> . " + " ".join(f":i{n} :p [ :q {n} ] ." for n in range(50))
    code = (
        f"from pipeline.data.sources.rdf import read_rdf; print(read_rdf({text.encode()!r}, 'kg', '.ttl').frame.rows())"
    )
    found = [
        subprocess.run(
            [sys.executable, "-c", code], cwd=ROOT, env={"PYTHONHASHSEED": seed}, capture_output=True, check=True
        )
        for seed in ("1", "2")
    ]
    assert found[0].stdout == found[1].stdout
    assert b"'_:50'" in found[0].stdout


@pytest.mark.parametrize(
    ("ending", "text", "called"),
    [
        (".ttl", "ex:a ex:b ex:c .", "Turtle: at line 1"),
        (".nt", '<http://a> <http://b> "c\n', "N-Triples: Invalid line"),
        (".rdf", "<rdf:RDF", "RDF/XML: "),
        (".ttl", "\ud800".encode("utf-8", "surrogatepass").decode("latin-1"), "Turtle: "),
    ],
)
def test_what_cannot_be_read_is_one_line(ending: str, text: str, called: str) -> None:
    with pytest.raises(InputError) as found:
        read_rdf(text.encode("latin-1"), "kg", ending)
    assert str(found.value).startswith(f"kg: not readable as {called}")
    assert "\n" not in str(found.value)


def test_entities_of_xml_are_not_fetched(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    text = (
        f'<?xml version="1.0"?><!DOCTYPE r [<!ENTITY s SYSTEM "file://{tmp_path}/secret">]>'
        '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns:e="http://e/">'
        '<rdf:Description rdf:about="http://e/a"><e:p>x&s;y</e:p></rdf:Description></rdf:RDF>'
    )
    try:
        rows = read_rdf(text.encode(), "kg", ".xml").frame.rows()
    except InputError:
        return
    assert "secret" not in str(rows)


def test_without_rdflib_a_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rdflib", None)
    with pytest.raises(InputError, match=r"^kg\.ttl: found RDF, which needs RDFLib; install it: pip install"):
        read_rdf(TURTLE.encode(), "kg.ttl", ".ttl")


def folder_of(folder: Path) -> Path:
    (folder / "interactions.csv").write_text("user_id,item_id,rating\na,1,5\nb,1,3\na,2,1\n")
    (folder / "items.csv").write_text("item_id,title\n1,Heat\n2,Collateral\n")
    (folder / "item_entities.csv").write_text(f"item_id,entity_id\n1,{EX}heat\n2,{EX}mann\n")
    return folder


def test_a_graph_of_a_folder_may_be_rdf_packed_or_not(tmp_path: Path) -> None:
    folder = folder_of(tmp_path)
    (folder / "kg.ttl").write_text(TURTLE)
    plain = TablesSource(type="tables", path=str(folder)).read()
    assert set(plain.kg.rows()) == TRIPLES
    (folder / "kg.ttl").unlink()
    (folder / "kg.nt.gz").write_bytes(gzip.compress(as_ntriples().encode()))
    assert set(TablesSource(type="tables", path=str(folder)).read().kg.rows()) == TRIPLES
    (folder / "kg.rdf").write_text(as_xml())
    with pytest.raises(InputError, match=r"table kg: found kg\.rdf and kg\.nt\.gz"):
        TablesSource(type="tables", path=str(folder)).read()
