/** libxml2-wasm: XML in C, compiled by a new emscripten, its module packed in text. */
import { XmlDocument, XsdValidator } from "libxml2-wasm";

const SCHEMA =
  `<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema"><xs:element name="list"><xs:complexType><xs:sequence>
<xs:element name="item" maxOccurs="unbounded"><xs:complexType><xs:simpleContent><xs:extension base="xs:integer">
<xs:attribute name="id" type="xs:ID" use="required"/></xs:extension></xs:simpleContent></xs:complexType></xs:element>
</xs:sequence></xs:complexType></xs:element></xs:schema>`;

export function run(): Promise<unknown> {
  const items = Array.from({ length: 200 }, (_, index) => `<item id="i${index}">${index * index}</item>`)
    .join("\n");
  const document = XmlDocument.fromString(`<?xml version="1.0"?><list>${items}<!-- é --></list>`);
  const validator = XsdValidator.fromDoc(XmlDocument.fromString(SCHEMA));
  const found = document.find("//item[@id='i7' or position() mod 50 = 0]").map((node) => node.content);
  const results = {
    found,
    total: document.eval("sum(//item)"),
    valid: attempt(() => validator.validate(document)),
    invalid: attempt(() => validator.validate(XmlDocument.fromString("<list><item>x</item></list>"))),
    broken: attempt(() => XmlDocument.fromString("<a><b></a>")),
    text: document.toString({ format: false }),
  };
  validator.dispose();
  document.dispose();
  return Promise.resolve(results);
}

function attempt(body: () => unknown): string {
  try {
    body();
    return "accepted";
  } catch (error) {
    return String(error);
  }
}
