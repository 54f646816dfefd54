"""Places on the bus, kept by the transactions that apply what lies before them."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("bandstand_events", "0006_replay")]

    operations = [
        migrations.CreateModel(
            name="Bookmark",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "reader", "place", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("reader", models.CharField(max_length=200)),
                ("place", models.CharField(max_length=300)),
                ("position", models.BigIntegerField()),
            ],
            options={"db_table": "bandstand_events_bookmark"},
        ),
    ]
